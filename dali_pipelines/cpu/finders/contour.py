"""The outer contour that encloses the largest area, on the CPU: SPR 2025's first place."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.parts import largest_part
from dali_pipelines.roi_settings import LEVEL_STEP, RoiSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box of each image's largest contour, and its filled mask where `settings` asks for it."""
    return [_find_contour(display, settings) for display in displays]


def _find_contour(display: NDArray[np.uint16], settings: RoiSettings) -> Roi:
    """The full frame with `found` False where no px is above the level."""
    lit = display >= LEVEL_STEP * (settings.contour.level + 1)
    part = largest_part(lit, "area")
    if part is None:
        return Roi(0, display.shape[0], 0, display.shape[1], found=False)
    mask = part.mask(*lit.shape) if settings.contour.mask else None
    last = int(settings.contour.drop_last)
    bottom, right = max(part.top + 1, part.bottom - last), max(part.left + 1, part.right - last)
    return Roi(part.top, bottom, part.left, right, mask=mask)
