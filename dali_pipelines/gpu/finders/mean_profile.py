"""The box of the rows and columns that hold enough px above the mean (RSNA 2023, sixth place).

The twin of `cpu/finders/mean_profile.py`: the same boxes; they stay on the device.
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
    """The box in each image of display values (H, W) uint16.

    Nothing waits for the device until an element of the result is looked at.
    """
    lines = LineSums(displays)
    boxes = empty((len(displays), len(FIELDS)), torch.int32)
    launch, grid, constants = current_device().launch, (len(displays),), settings.mean_profile
    scalars = (np.float64(constants.threshold), np.int32(constants.buffer))

    lines.sum_columns("levels")
    launch("mean_box", "set_mean", grid, (SEARCHERS,), (lines.images, lines.sums))
    lines.sum_columns("bright")
    arguments = (lines.images, lines.sums, *scalars, boxes)
    launch("mean_box", "find_columns", grid, (SEARCHERS,), arguments)
    lines.sum_rows("bright")
    launch("mean_box", "find_rows", grid, (SEARCHERS,), arguments)
    return DeviceRois(boxes)
