"""Whether the chest wall of a picture is at its right, by what its outer columns hold."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi


def mirror(
    displays: Sequence[NDArray[np.uint16]], rois: Sequence[Roi], settings: RoiSettings
) -> Sequence[Roi]:
    """`rois`, each with `mirror` by the outer columns of its image where `settings` wants that.

    Finders that search the mirrored picture have decided already.
    """
    if not settings.mirrors_by_columns or settings.searches_mirrored:
        return rois
    return [
        replace(roi, mirror=settings.lean_sign * lean > 0)
        for roi, lean in zip(rois, leans(displays, settings), strict=True)
    ]


def leans(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[int]:
    """By how much the outer columns of each image (H, W) uint16 sum up to more at its right."""
    return [_lean(display, settings.outer_columns(display.shape[1])) for display in displays]


def _lean(display: NDArray[np.uint16], columns: int) -> int:
    right = display[:, display.shape[1] - columns :].sum(dtype=np.int64)
    return int(right) - int(display[:, :columns].sum(dtype=np.int64))
