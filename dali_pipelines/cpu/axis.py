"""Which source px make one output sample along one axis, and with what weights.

Places and weights are worked out in float64 in a stated order, so that another device can repeat
them to the bit, and then rounded to float32.
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.geometry import Side

Filter = Literal["area", "linear", "triangle"]
Taps = tuple[NDArray[np.int64], NDArray[np.float64]]  # sources and weights, both (K, n)


class Axis(NamedTuple):
    """For each of n output samples along one axis its K source px and their weights, both (K, n).

    The samples are numbers `first` ... `first + n - 1` of the output; all others are black. The
    weights of one add up to 1 before they are rounded, less those of black px beside the box;
    unused places have weight 0.
    """

    first: int
    sources: NDArray[np.int64]
    weights: NDArray[np.float32]

    @property
    def place(self) -> slice:
        """Where these samples lie in the output."""
        return slice(self.first, self.first + self.sources.shape[1])


def axis(side: Side, box: int, size: int, kind: Filter) -> Axis:
    """How `size` samples of output come from `box` px of source that are placed as `side` says."""
    shown = np.arange(max(0, -side.corner), min(side.count_out, size - side.corner))
    sources, weights = _taps(shown, side.count_in, side.count_out, kind)
    sources -= side.before
    weights[(sources < 0) | (sources >= box)] = 0
    lit = np.flatnonzero(weights.any(axis=0))
    first, end = (int(lit[0]), int(lit[-1]) + 1) if len(lit) else (0, 0)
    return Axis(
        side.corner + int(shown[0]) + first,
        np.clip(sources[:, first:end], 0, box - 1),
        weights[:, first:end].astype(np.float32),
    )


def _taps(samples: NDArray[np.int64], count_in: int, count_out: int, kind: Filter) -> Taps:
    """The taps of some of the `count_out` samples that `count_in` px become."""
    if kind == "triangle":
        return _triangle(samples, count_in, count_out)
    lows = samples * float(count_in) / count_out
    highs = (samples + 1) * float(count_in) / count_out
    if kind == "linear" or count_out >= count_in:
        return _linear(lows, highs, count_in)
    starts = np.floor(lows).astype(np.int64)
    sources = _from_starts(starts, np.ceil(highs).astype(np.int64))
    covered = np.minimum(sources + 1, highs) - np.maximum(sources, lows)
    return sources, np.maximum(covered, 0) * (count_out / count_in)


def _linear(lows: NDArray[np.float64], highs: NDArray[np.float64], count_in: int) -> Taps:
    """The two px whose centers are next to that of the sample, the outermost one where it is."""
    centers = np.clip((lows + highs) / 2 - 0.5, 0, count_in - 1)
    lower = np.floor(centers).astype(np.int64)
    share = centers - lower
    return np.stack([lower, np.minimum(lower + 1, count_in - 1)]), np.stack([1 - share, share])


def _triangle(samples: NDArray[np.int64], count_in: int, count_out: int) -> Taps:
    """The px within one output px of the sample's center, weighted by how near they are.

    Where it enlarges, within one source px. The weights are divided by their sum, which is taken
    from the lowest source up.
    """
    reach = max(1.0, count_in / count_out)
    centers = (samples + 0.5) * count_in / count_out
    starts = np.maximum(np.floor(centers - reach + 0.5), 0).astype(np.int64)
    ends = np.minimum(np.floor(centers + reach + 0.5), count_in).astype(np.int64)
    sources = _from_starts(starts, ends)
    weights = np.maximum(1 - np.abs(sources + 0.5 - centers) * (1 / reach), 0)
    weights[sources >= ends] = 0
    total = weights[0].copy()
    for tap in weights[1:]:
        total += tap
    return sources, weights * (1 / total)


def _from_starts(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K, n): counting up from each start, as far as the longest way to an end."""
    taps: NDArray[np.int64] = starts + np.arange(int((ends - starts).max()))[:, None]
    return taps
