"""Blocks in which units of one patient change places until they meet as little as can be.

Images of one patient look alike, so a batch that holds several of them shows less than its size.

A patient with c units in one block and at most c - 2 in another can always lose one there: the
other block has as many units and fewer of this patient, so it has more than the first of some other
patient, and one of those comes back. Each change lowers the number of pairs that meet, so this
ends, and then no patient's counts in two full blocks differ by more than 1. Only where units must
keep their `kinds` may pairs stay that a longer chain of changes could part.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.plan import EMPTY, Blocks

_Slot = tuple[int, int]


def keep_apart(
    blocks: Blocks,
    patients: NDArray[np.int64],
    kinds: NDArray[np.int64],
    rng: np.random.Generator,
) -> Blocks:
    """The blocks (B, N) with as few pairs of one patient in a block as changes of two units reach.

    `patients` and `kinds` (U,) are 0 or more; units of equal kind change places, so that a block
    keeps what it has of each. What meets nobody of its patient stays, but for those it gives way.
    """
    blocks = blocks.copy()
    shown = np.where(blocks == EMPTY, EMPTY, patients[blocks])
    kind = np.where(blocks == EMPTY, EMPTY, kinds[blocks])  # stays: only equals change places
    moved = True
    while moved:
        moved = False
        for slot in _crowded(shown):
            other = _better_slot(shown, kind, slot, rng)
            if other is not None:
                for table in (blocks, shown):
                    table[slot], table[other] = table[other], table[slot]
                moved = True
    return blocks


def _crowded(shown: Blocks) -> Iterator[_Slot]:
    """The slots whose patient the block shows more than once, in order; changes are seen."""
    ranked = np.sort(shown, axis=1)
    repeated = ((ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] != EMPTY)).any(axis=1)
    for row in np.flatnonzero(repeated).tolist():
        for column, patient in enumerate(shown[row].tolist()):
            if patient != EMPTY and (shown[row] == patient).sum() > 1:
                yield row, column


def _better_slot(
    shown: Blocks, kind: NDArray[np.int64], slot: _Slot, rng: np.random.Generator
) -> _Slot | None:
    """A slot to change with, at random, after which fewer pairs meet; None if there is none."""
    here, patient = shown[slot[0]], shown[slot]
    excess = int((here == patient).sum()) - 2
    if excess < 0:  # it was parted by an earlier change
        return None
    roomy = np.flatnonzero((shown == patient).sum(axis=1) <= excess)
    for row in rng.permutation(roomy).tolist():
        there = shown[row]
        fits = (kind[row] == kind[slot]) & (_counts(there, there) > _counts(there, here))
        if fits.any():
            return row, int(rng.choice(np.flatnonzero(fits)))
    return None


def _counts(patients: NDArray[np.int64], block: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each of the patients is in a block."""
    counts: NDArray[np.int64] = (patients[:, None] == block).sum(axis=1)
    return counts
