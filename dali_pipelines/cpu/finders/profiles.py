"""The box of profiles: where smoothed sum times smoothed standard deviation falls off.

The preparation of a published lecture on the RSNA 2023 challenge. Sums and sums of squares are
exact integers, all else is double precision in a stated order, so another device finds the same.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.mirror import leans
from dali_pipelines.roi_settings import LEVEL_STEP, ProfileSettings, RoiSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box in each image of display values (H, W) uint16, and whether it is to be mirrored.

    `found` is False, and the box the full frame, where the profiles leave nothing.
    """
    turned = (
        [lean > 0 for lean in leans(displays, settings)]
        if settings.mirrors_by_columns
        else [False] * len(displays)
    )
    return [
        _find_box(display, settings.profile, mirror)
        for display, mirror in zip(displays, turned, strict=True)
    ]


def _find_box(display: NDArray[np.uint16], settings: ProfileSettings, mirror: bool) -> Roi:
    height, width = display.shape
    levels = (display // LEVEL_STEP).astype(np.uint8)
    profile = _profile(levels[:, ::-1] if mirror else levels, 0, settings.smooth)
    end = _column_end(profile, settings.columns)
    left, right = (width - end, width) if mirror else (0, end)
    if right == left:
        return Roi(0, height, 0, width, mirror=mirror, found=False)
    top, bottom = _row_ends(_profile(levels[:, left:right], 1, settings.smooth), settings.rows)
    if bottom <= top:
        return Roi(0, height, 0, width, mirror=mirror, found=False)
    return Roi(top, bottom, left, right, mirror=mirror)


def _profile(levels: NDArray[np.uint8], axis: int, smooth: float) -> NDArray[np.float64]:
    """Smoothed sum times smoothed deviation along an axis, times a constant; (n,) float64."""
    sums = levels.sum(axis=axis, dtype=np.int64)
    squares = np.square(levels, dtype=np.uint16).sum(axis=axis, dtype=np.int64)
    # Below 65,536**2 * 255**2 = 2**48: exact, also as float64.
    deviations = np.sqrt((levels.shape[axis] * squares - sums**2).astype(np.float64))
    length = max(1, int(len(sums) * smooth))
    product: NDArray[np.float64] = _box_filter(sums, length) * _box_filter(deviations, length)
    return product


def _box_filter(values: NDArray[np.generic], length: int) -> NDArray[np.float64]:
    """Sums of `length` neighbors, added up from the first to the last; black beyond the ends.

    They lie where `np.convolve(values, np.ones(length), "same")` puts them.
    """
    padded = np.zeros(len(values) + length - 1)
    padded[length // 2 : length // 2 + len(values)] = values
    total = np.zeros(len(values))
    for first in range(length):
        total += padded[first : first + len(values)]
    return total


def _column_end(profile: NDArray[np.float64], share: float) -> int:
    """How many columns are kept, 0 where all are black."""
    greatest = profile.max()
    if greatest == 0:
        return 0
    start = int(profile[: max(1, int(len(profile) * 0.75))].argmax())
    below = np.flatnonzero(profile[start:] < share * greatest)
    return start + int(below[0]) if len(below) else len(profile) - 1


def _row_ends(profile: NDArray[np.float64], share: float) -> tuple[int, int]:
    """The first row kept and the first one after."""
    count, least = len(profile), share * profile.max()
    first, last = int(count * 0.25), int(count * 0.75)
    start = first + int(profile[first : max(first + 1, last)].argmax())
    above = np.flatnonzero(profile[:start] < least)
    below = np.flatnonzero(profile[start:] < least)
    top = int(above[-1]) if len(above) else 0
    return top, start + int(below[0]) if len(below) else count
