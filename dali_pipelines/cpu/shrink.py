"""An image shrunk to the thumbnail that a box is found on, on the CPU; `otsu.cu` has its twin."""

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.roi_settings import LEVEL_STEP
from dali_pipelines.thumbnail import Thumbnail


def shrink(display: NDArray[np.uint16], small: Thumbnail) -> NDArray[np.int64]:
    """Levels 0 ... 255 of the thumbnail (h, w): linear between the nearest px, rounded down.

    A center lies at ((2 i + 1) * H / h - 1) / 2, so weights are whole numbers of 2 h-ths, and the
    sums are exact.
    """
    (above, below, lower), (left, right, further) = (
        _neighbors(length, count)
        for length, count in zip(display.shape, (small.height, small.width), strict=True)
    )
    upper_row = _between(display[above], left, right, further)
    lower_row = _between(display[below], left, right, further)
    nearer = (2 * small.height - lower)[:, None]
    total = upper_row * nearer + lower_row * lower[:, None]
    levels: NDArray[np.int64] = total // (4 * small.height * small.width * LEVEL_STEP)
    return levels


def _neighbors(length: int, count: int) -> tuple[NDArray[np.int64], ...]:
    """For each of `count` samples the two px of `length` it lies between, the weight of the second.

    Weights are 2 * count-ths.
    """
    center = np.maximum((2 * np.arange(count) + 1) * length - count, 0)
    first, weight = np.divmod(center, 2 * count)
    return first, np.minimum(first + 1, length - 1), weight


def _between(
    rows: NDArray[np.uint16],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    weight: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Rows (h, W) at w places between two columns each, times 2 w: (h, w)."""
    between: NDArray[np.int64] = (
        rows[:, left] * (2 * len(weight) - weight) + rows[:, right] * weight
    )
    return between
