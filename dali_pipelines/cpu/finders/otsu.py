"""The largest contour above Otsu's threshold on a thumbnail, on the CPU: RSNA 2023's winner.

Everything up to the threshold is of integers; the threshold takes doubles in a stated order.
N. Otsu, A threshold selection method from gray-level histograms, IEEE Trans. SMC 9 (1979) 62-66.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dali_pipelines.cpu.parts import Part, largest_part
from dali_pipelines.cpu.shrink import shrink
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi
from dali_pipelines.thumbnail import thumbnail

_LEVELS: Final = 256
_GAUSSIAN: Final = np.array([1, 4, 6, 4, 1])  # sixteenths: OpenCV's 5 x 5 kernel without a sigma
_SQUARE: Final = np.ones((3, 3), np.bool_)


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box of the largest contour in each image (`OtsuSettings`)."""
    return [_find_bright(display, settings) for display in displays]


def _find_bright(display: NDArray[np.uint16], settings: RoiSettings) -> Roi:
    """The full frame with `found` False where no contour is large enough."""
    small = thumbnail(display.shape, settings.otsu)
    smooth = _smoothed(_clipped(shrink(display, small), small.rank))
    lit = ndimage.binary_dilation(smooth > _threshold(smooth), _SQUARE)
    part = largest_part(lit, "area")
    if part is None or part.size < small.least_half_squares:
        return Roi(0, display.shape[0], 0, display.shape[1], found=False)
    return _full_size(part, small.scale, display.shape)


def _clipped(levels: NDArray[np.int64], rank: int) -> NDArray[np.int64]:
    """The levels with the least in place of those above the level of that rank, from 0."""
    counts = np.bincount(levels.ravel(), minlength=_LEVELS)
    top = np.searchsorted(counts.cumsum(), rank, side="right")
    return np.where(levels > top, np.flatnonzero(counts)[0], levels)


def _smoothed(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """A Gaussian of 5 x 5, mirrored at the edge px, rounded to the nearest, halves up."""
    sums = levels
    for axis in (0, 1):
        sums = ndimage.correlate1d(sums, _GAUSSIAN, axis, mode="mirror")
    smoothed: NDArray[np.int64] = (sums + 128) // 256
    return smoothed


def _threshold(levels: NDArray[np.int64]) -> int:
    """The level up to which px are dark, so that the two means differ most; the least of equals.

    With m of n px up to a level, of sum s of S, the variance between is (n s - m S)**2 / (m (n -
    m)), but for a factor. All up to the square is below 2**53, and so exact.
    """
    counts = np.bincount(levels.ravel(), minlength=_LEVELS)
    dark, dark_sum = counts.cumsum(), (counts * np.arange(_LEVELS)).cumsum()
    difference = (levels.size * dark_sum - dark * dark_sum[-1]).astype(np.float64)
    weight = (dark * (levels.size - dark)).astype(np.float64)
    return int((difference * difference / np.maximum(weight, 1)).argmax())


def _full_size(part: Part, scale: float, shape: tuple[int, ...]) -> Roi:
    """The box in px of the image: bounds divided by the scale, rounded down, at least 1 px."""
    top, bottom = _side(part.top, part.bottom, scale, shape[0])
    left, right = _side(part.left, part.right, scale, shape[1])
    return Roi(top, bottom, left, right)


def _side(first: int, end: int, scale: float, length: int) -> tuple[int, int]:
    start = int(first / scale)
    return start, max(start + 1, min(length, int(end / scale)))
