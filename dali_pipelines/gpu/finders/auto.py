"""Find the breast on images of display values: the box to crop, and whether to mirror it.

The same integers as on the CPU, so the same boxes; they stay on the device.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.geometry import block_edge
from dali_pipelines.gpu.boxes import FIELDS, DeviceRois
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi

_LEVELS: Final = 256
_IMAGE: Final = np.dtype(  # struct Image of reduced_image.cuh
    [
        ("values", np.uint64),
        ("first", np.int64),
        ("height", np.int32),
        ("width", np.int32),
        ("edge", np.int32),
        ("rows", np.int32),
        ("columns", np.int32),
        ("least_area", np.int32),
    ]
)


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> Sequence[Roi]:
    """The box around the breast in each image of display values (H, W) uint16.

    The images are contiguous, of any size up to 65,536 px a side. Nothing waits for the device
    until an element of the result is looked at.
    """
    images = _describe(displays, settings.auto.min_area)
    boxes = empty((len(displays), len(FIELDS)), torch.int32)
    _launch(images, settings, boxes)
    return DeviceRois(boxes)


def _describe(displays: Sequence[torch.Tensor], min_area: float) -> NDArray[np.void]:
    """What the kernels read of each image, (N,) _IMAGE."""
    assert all(display.is_contiguous() for display in displays)
    images = np.zeros(len(displays), _IMAGE)
    images["values"] = [display.data_ptr() for display in displays]
    images["height"], images["width"] = np.transpose([display.shape for display in displays])
    images["edge"] = [block_edge(display.shape) for display in displays]
    images["rows"] = -(-images["height"] // images["edge"])
    images["columns"] = -(-images["width"] // images["edge"])
    areas = images["rows"].astype(np.int64) * images["columns"]
    images["first"] = np.cumsum(areas) - areas
    # An integer is below a number exactly where it is below that number rounded up.
    images["least_area"] = [math.ceil(min_area * int(area)) for area in areas]
    return images


def _launch(images: NDArray[np.void], settings: RoiSettings, boxes: torch.Tensor) -> None:
    device, count = current_device(), len(images)
    area = int(images["first"][-1]) + int(images["rows"][-1]) * int(images["columns"][-1])
    table = upload(images)
    means = empty((area,), torch.uint16)
    grid = (int(images["rows"].max()), count)
    device.launch("block_means", "block_means", grid, (256,), (table, means))
    labels, sizes = empty((area,), torch.int32), empty((area,), torch.int32)
    scalars = (
        np.int32(max(1, int(settings.auto.threshold * _LEVELS))),
        np.float64(settings.auto.margin),
        np.int32(settings.mirror == "chest-left"),
    )
    arguments = (table, means, labels, sizes, *scalars, boxes)
    device.launch("breast", "find_breast", (count,), (1024,), arguments)
