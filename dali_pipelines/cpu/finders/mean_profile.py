"""The box of the rows and columns that hold enough px above the mean (RSNA 2023, sixth place)."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.roi_settings import LEVEL_STEP, MeanProfileSettings, RoiSettings
from dali_pipelines.stages import Roi

_EDGE: Final = 5  # lines at each end that count as 0
_OFFSET: Final = 1e-4  # keeps a profile of one value from a division by 0


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box in each image of display values (H, W) uint16."""
    return [_find_box(display, settings.mean_profile) for display in displays]


def _find_box(display: NDArray[np.uint16], settings: MeanProfileSettings) -> Roi:
    levels = (display // LEVEL_STEP).astype(np.uint8)
    # A whole number is above the mean exactly where it is above the mean rounded down.
    bright = levels > int(levels.sum(dtype=np.int64)) // levels.size
    top, bottom = _ends(bright.sum(axis=1, dtype=np.int64), display.shape[1], settings)
    left, right = _ends(bright.sum(axis=0, dtype=np.int64), display.shape[0], settings)
    return Roi(top, bottom, left, right)


def _ends(counts: NDArray[np.int64], of: int, settings: MeanProfileSettings) -> tuple[int, int]:
    """The first line kept and the first one after, where each line has `of` px."""
    shares = counts / of
    shares[:_EDGE] = shares[-_EDGE:] = 0
    least, greatest = shares.min(), shares.max()
    spread = (shares - least + _OFFSET) / (greatest - least + _OFFSET)
    kept = np.flatnonzero(spread > settings.threshold)
    if not len(kept):
        return 0, len(counts)
    return (
        max(0, int(kept[0]) - settings.buffer),
        min(len(counts), int(kept[-1]) + settings.buffer),
    )
