"""Which sample, in which block of the epoch: pure functions of (seed, epoch).

An epoch is one global sequence of blocks, each the batch of one rank. Rank r of w takes blocks
r, r + w, r + 2w, ... of those not yet consumed, so every rank has the same number of batches, a
run resumes in mid-epoch from one number, and may do so with another number of ranks.
"""

import numpy as np
from numpy.typing import NDArray

Blocks = NDArray[np.int64]  # (blocks, batch) indices into the list of records, -1 for an empty slot
EMPTY = -1


def sequential_blocks(count: int, batch: int) -> Blocks:
    """Indices 0 ... count - 1 in order, each once, the last block filled with -1."""
    return _as_blocks(np.arange(count, dtype=np.int64), batch)


def shuffled_blocks(
    labels: NDArray[np.int64] | None,
    count: int,
    batch: int,
    seed: int,
    epoch: int,
    positive_share: float | None = None,
) -> Blocks:
    """One epoch in random order, the same for the same arguments on any machine.

    Without `positive_share` every index comes once. With it each block holds that share of
    positives (at least one, and at least one negative): every negative comes once in an epoch and
    the positives are cycled, shuffled anew for each round, as the winner of RSNA 2023 trained.
    `labels` (count,) are 1, 0, or -1 for unknown; unknown ones are never drawn with a share.

    Raises ValueError where a share is asked for and one of the classes is empty.
    """
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
    if positive_share is None:
        return _as_blocks(rng.permutation(count).astype(np.int64), batch)
    if labels is None:
        raise ValueError("a share of positives needs labels")
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if not len(positives) or not len(negatives) or batch < 2:
        raise ValueError(
            f"balanced batches need both classes and a batch of at least 2, found {len(positives)} "
            f"positives, {len(negatives)} negatives and a batch of {batch}"
        )
    per_block = min(max(round(positive_share * batch), 1), batch - 1)
    rows = _as_blocks(rng.permutation(negatives), batch - per_block)
    drawn = _cycled(positives, len(rows) * per_block, rng).reshape(len(rows), per_block)
    return rng.permuted(np.concatenate([rows, drawn], axis=1), axis=1)


def rank_blocks(blocks: Blocks, rank: int, world: int, consumed: int = 0) -> Blocks:
    """The blocks one rank still has to do, when `consumed` blocks of the epoch are done.

    All ranks get equally many; where they do not divide, the last ones get a block of -1.
    """
    rest = blocks[consumed:]
    missing = -len(rest) % world
    filler = np.full((missing, blocks.shape[1]), EMPTY, dtype=np.int64)
    return np.concatenate([rest, filler])[rank::world]


def _as_blocks(order: NDArray[np.int64], batch: int) -> Blocks:
    filler = np.full(-len(order) % batch, EMPTY, dtype=np.int64)
    return np.concatenate([order, filler]).reshape(-1, batch)


def _cycled(items: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    rounds = -(-count // len(items))
    return np.concatenate([rng.permutation(items) for _ in range(rounds)])[:count]
