"""The box of the longest runs of columns, then of rows, that are not constant (Mammo-CLIP).

The twin of `cpu/finders/run.py`: the same boxes; they stay on the device.
"""

from collections.abc import Sequence

import numpy as np
import torch

from dali_pipelines.gpu.boxes import FIELDS, DeviceRois
from dali_pipelines.gpu.device import current_device, empty
from dali_pipelines.gpu.line_sums import SEARCHERS, LineSums
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> Sequence[Roi]:
    """The box in each image of display values (H, W) uint16; the full frame where none varies.

    Nothing waits for the device until an element of the result is looked at.
    """
    lines = LineSums(displays, dark=settings.run.level)
    areas = lines.frames.copy()
    areas[:, :2] = [settings.run.central_part(display.shape[0]) for display in displays]
    lines.limit(areas)
    boxes = empty((len(displays), len(FIELDS)), torch.int32)
    launch, grid = current_device().launch, (len(displays),)

    lines.sum_columns("changes")
    arguments = (lines.images, lines.areas, lines.sums, np.float64(settings.run.central / 2), boxes)
    launch("run_box", "find_columns", grid, (SEARCHERS,), arguments)
    lines.sum_rows("changes")
    launch("run_box", "find_rows", grid, (SEARCHERS,), (lines.images, lines.sums, boxes))
    return DeviceRois(boxes)
