"""Random numbers that follow from a place in the run alone: seed, epoch and position.

Philox (Salmon et al., SC 2011) gives the n-th number of any stream without those before it. So an
image changes in the same way whatever batch, rank or resumed process it comes up in.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.augment.settings import CHANGES, AugmentSettings, Change

CHOICE: Final = 0  # streams: which changes, mixup, then one for each change
MIXUP: Final = 1
_FIRST_CHANGE: Final = 2
_WORD: Final = 1 << 64

Numbers = NDArray[np.float64]


def uniforms(
    seed: int, epoch: int, positions: NDArray[np.int64], stream: int, count: int
) -> Numbers:
    """Numbers (N, count) in [0, 1), one row for each of `positions` (N,) in the epoch."""
    rows = np.empty((len(positions), count))
    key = np.array([seed % _WORD, epoch], np.uint64)
    for row, position in zip(rows, positions.tolist(), strict=True):
        place = np.array([0, 0, stream, position % _WORD], np.uint64)
        np.random.Generator(np.random.Philox(counter=place, key=key)).random(out=row)
    return rows


def spread(numbers: Numbers, low: float, high: float) -> Numbers:
    """Numbers in [0, 1) spread over [low, high)."""
    return low + numbers * (high - low)


def change_stream(change: Change) -> int:
    """The stream of a change's own numbers."""
    return _FIRST_CHANGE + CHANGES.index(change)


def choose(
    settings: AugmentSettings, seed: int, epoch: int, positions: NDArray[np.int64]
) -> dict[Change, NDArray[np.int64]]:
    """The rows of `positions` that each change applies to; changes without a row are left out."""
    drawn = uniforms(seed, epoch, positions, CHOICE, 1 + len(CHANGES))
    changed = drawn[:, 0] < settings.share
    rows: dict[Change, NDArray[np.int64]] = {}
    for change, (lead, low, high) in _intervals(settings).items():
        column = drawn[:, 1 + CHANGES.index(lead)]
        found = np.flatnonzero(changed & (low <= column) & (column < high))
        if len(found):
            rows[change] = found
    return rows


def _intervals(settings: AugmentSettings) -> Mapping[Change, tuple[Change, float, float]]:
    """For each change whose number decides on it, and the range [low, high) in which it applies.

    Changes of one group look at the number of its first, in ranges that do not meet.
    """
    probabilities = settings.probabilities
    grouped = {name for group in settings.one_of for name in group}
    alone = tuple((name,) for name in CHANGES if name not in grouped)
    intervals: dict[Change, tuple[Change, float, float]] = {}
    for group in (*alone, *settings.one_of):
        low = 0.0
        for name in group:
            intervals[name] = (group[0], low, low + probabilities[name])
            low += probabilities[name]
    return intervals
