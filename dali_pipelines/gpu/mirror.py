"""Whether the chest wall of a picture is at its right, by what its outer columns hold.

The twin of `cpu/mirror.py`: sums of integers, so the same decision.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from dali_pipelines.gpu.boxes import FIELDS, DeviceRois, device_boxes
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi

_STRIP_ROWS: Final = 32  # of mirror.cu
_IMAGE: Final = np.dtype(  # struct Image of mirror.cu
    [
        ("values", np.uint64),
        ("height", np.int32),
        ("width", np.int32),
        ("outer", np.int32),
        ("unused", np.int32),
    ]
)


def mirror(
    displays: Sequence[torch.Tensor], rois: Sequence[Roi], settings: RoiSettings
) -> Sequence[Roi]:
    """`rois`, each with `mirror` by the outer columns of its image where `settings` wants that.

    Finders that search the mirrored picture have decided already. Nothing waits for the device.
    """
    if not settings.mirrors_by_columns or settings.searches_mirrored or not displays:
        return rois
    boxes = device_boxes(rois).clone()
    boxes[:, FIELDS.index("mirror")] = settings.lean_sign * leans(displays, settings) > 0
    return rois.with_boxes(boxes) if isinstance(rois, DeviceRois) else DeviceRois(boxes)


def leans(displays: Sequence[torch.Tensor], settings: RoiSettings) -> torch.Tensor:
    """By how much the outer columns of each image sum up to more at its right, (N,) int64."""
    images = np.zeros(len(displays), _IMAGE)
    images["values"] = [display.data_ptr() for display in displays]
    images["height"], images["width"] = np.transpose([display.shape for display in displays])
    images["outer"] = [settings.outer_columns(display.shape[1]) for display in displays]
    found = empty((len(displays),), torch.int64).zero_()
    grid = (-(-int(images["height"].max()) // _STRIP_ROWS), len(displays))
    current_device().launch("mirror", "lean_right", grid, (256,), (upload(images), found))
    return found
