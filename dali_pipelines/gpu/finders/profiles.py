"""The box of profiles: where smoothed sum times smoothed standard deviation falls off.

The twin of `cpu/finders/profiles.py`: the same boxes; they stay on the device.
"""

from collections.abc import Sequence

import numpy as np
import torch

from dali_pipelines.gpu.boxes import FIELDS, DeviceRois
from dali_pipelines.gpu.device import Argument, current_device, empty
from dali_pipelines.gpu.line_sums import SEARCHERS, LineSums
from dali_pipelines.gpu.mirror import leans
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> Sequence[Roi]:
    """The box in each image of display values (H, W) uint16, and whether it is to be mirrored.

    `found` is False, and the box the full frame, where the profiles leave nothing. Nothing waits
    for the device until an element of the result is looked at.
    """
    lines = LineSums(displays)
    if settings.mirrors_by_columns:
        turned = leans(displays, settings)
    else:
        turned = empty((len(displays),), torch.int64).zero_()
    boxes = empty((len(displays), len(FIELDS)), torch.int32)
    deviations, profile = (empty(tuple(lines.sums.shape), torch.float64) for _ in range(2))
    sums = (lines.sums, lines.squares, deviations, profile)
    launch, grid, constants = current_device().launch, (len(displays),), settings.profile
    smooth = np.float64(constants.smooth)

    lines.sum_columns("levels")
    by_columns = (turned, np.float64(constants.columns), smooth, boxes)
    arguments: tuple[Argument, ...] = (lines.images, lines.areas, *sums, *by_columns)
    launch("profile_box", "find_columns", grid, (SEARCHERS,), arguments)
    lines.sum_rows("levels")
    arguments = (lines.images, *sums, np.float64(constants.rows), smooth, boxes)
    launch("profile_box", "find_rows", grid, (SEARCHERS,), arguments)
    return DeviceRois(boxes)
