"""The outer contour that encloses the largest area, on the GPU: SPR 2025's first place."""

from collections.abc import Sequence

import torch

from dali_pipelines.gpu.boxes import FIELDS, DeviceRois
from dali_pipelines.gpu.largest_part import largest_part
from dali_pipelines.roi_settings import LEVEL_STEP, RoiSettings


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> DeviceRois:
    """The box of each image's largest contour, and its filled mask where `settings` asks for it."""
    above = LEVEL_STEP * (settings.contour.level + 1) - 1
    boxes, masks = largest_part(displays, above, "area")
    if settings.contour.drop_last:
        _drop_last(boxes)
    return DeviceRois(boxes, masks if settings.contour.mask else None)


def _drop_last(boxes: torch.Tensor) -> None:
    """Take the last row and the last column off each box (N, 6) that was found and has more."""
    column = {name: boxes[:, k] for k, name in enumerate(FIELDS)}
    for first, after in (("top", "bottom"), ("left", "right")):
        more = (column[after] - column[first] > 1) & (column["found"] > 0)
        column[after].sub_(more.to(boxes.dtype))
