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
    return as_blocks(np.arange(count, dtype=np.int64), batch)


def shuffled_blocks(
    labels: NDArray[np.int64] | None,
    count: int,
    batch: int,
    seed: int,
    epoch: int,
    positive_share: float | None = None,
) -> Blocks:
    """One epoch in random order, the same for the same arguments on any machine.

    Without `positive_share` every index comes once, with it as `ratio_blocks` says. `labels`
    (count,) are 1, 0, or -1 for unknown; unknown ones are never drawn with a share.

    Raises ValueError where a share is asked for and one of the classes is empty.
    """
    rng = epoch_generator(seed, epoch)
    if positive_share is None:
        return as_blocks(rng.permutation(count).astype(np.int64), batch)
    if labels is None:
        raise ValueError("a share of positives needs labels")
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    return ratio_blocks(positives, negatives, batch, positive_share, rng)


def ratio_blocks(
    positives: NDArray[np.int64],
    negatives: NDArray[np.int64],
    batch: int,
    share: float,
    rng: np.random.Generator,
) -> Blocks:
    """Blocks that each hold that share of positives: at least one, and at least one negative.

    Every negative comes once and the positives are cycled, shuffled anew for each round, as the
    winner of RSNA 2023 trained. Raises ValueError where one of the classes is empty.
    """
    if not len(positives) or not len(negatives) or batch < 2:
        raise ValueError(
            f"balanced batches need both classes and a batch of at least 2, found {len(positives)} "
            f"positives, {len(negatives)} negatives and a batch of {batch}"
        )
    per_block = positives_per_block(batch, share)
    rows = as_blocks(rng.permutation(negatives), batch - per_block)
    drawn = cycled(positives, len(rows) * per_block, rng).reshape(len(rows), per_block)
    return rng.permuted(np.concatenate([rows, drawn], axis=1), axis=1)


def positives_per_block(batch: int, share: float) -> int:
    """How many positives that share is of a batch of 2 or more, with one left of either class."""
    return min(max(round(share * batch), 1), batch - 1)


def rank_blocks(blocks: Blocks, rank: int, world: int, consumed: int = 0) -> Blocks:
    """The blocks one rank still has to do, when `consumed` blocks of the epoch are done.

    All ranks get equally many; where they do not divide, the last ones get a block of -1.
    """
    rest = blocks[consumed:]
    missing = -len(rest) % world
    filler = np.full((missing, blocks.shape[1]), EMPTY, dtype=np.int64)
    return np.concatenate([rest, filler])[rank::world]


def as_blocks(order: NDArray[np.int64], batch: int) -> Blocks:
    """Those indices in that order, the last block filled with -1."""
    filler = np.full(-len(order) % batch, EMPTY, dtype=np.int64)
    return np.concatenate([order, filler]).reshape(-1, batch)


def cycled(items: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`count` of the items: all of them in a new random order, again and again."""
    rounds = -(-count // len(items))
    return np.concatenate([rng.permutation(items) for _ in range(rounds)])[:count]


def epoch_generator(seed: int, epoch: int) -> np.random.Generator:
    """The random numbers of one epoch, the same on any machine."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, epoch])))
