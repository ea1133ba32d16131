"""The largest connected part above a level, on the GPU: stemgene's crop."""

from collections.abc import Sequence

import torch

from dali_pipelines.gpu.boxes import DeviceRois
from dali_pipelines.gpu.largest_part import largest_part
from dali_pipelines.roi_settings import LEVEL_STEP, RoiSettings


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> DeviceRois:
    """The box of the part of the most px, 8-connected, in each image."""
    above = LEVEL_STEP * (settings.component.level + 1) - 1
    return DeviceRois(largest_part(displays, above, "px")[0])
