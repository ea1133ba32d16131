"""The largest connected part above a level, on the CPU: stemgene's crop."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.parts import largest_part
from dali_pipelines.roi_settings import LEVEL_STEP, RoiSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box of the part of the most px, 8-connected, in each image."""
    return [_find_component(display, settings.component.level) for display in displays]


def _find_component(display: NDArray[np.uint16], level: int) -> Roi:
    """The full frame with `found` False where no px is above the level."""
    part = largest_part(display >= LEVEL_STEP * (level + 1), "px")
    if part is None:
        return Roi(0, display.shape[0], 0, display.shape[1], found=False)
    return Roi(part.top, part.bottom, part.left, part.right)
