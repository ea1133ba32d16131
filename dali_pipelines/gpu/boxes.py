"""Boxes that stay on the device, one row of int32 for each image, until the host looks at one."""

from collections.abc import Sequence
from functools import cached_property
from typing import overload

import numpy as np
import torch

from dali_pipelines.gpu.device import Download, upload
from dali_pipelines.stages import Roi

FIELDS = ("top", "bottom", "left", "right", "mirror", "found")  # of a Roi, in the order of a row


class DeviceRois(Sequence[Roi]):
    """The boxes of N images: `boxes` (N, 6) int32 on the device, columns as in FIELDS.

    The way to the host starts at once and holds up nothing; the first look at an element waits
    until all boxes have come.
    """

    def __init__(self, boxes: torch.Tensor) -> None:
        self.boxes = boxes
        self._download = Download(boxes)

    @cached_property
    def _rois(self) -> tuple[Roi, ...]:
        rows = self._download.get().tolist()
        return tuple(
            Roi(top, bottom, left, right, bool(mirror), bool(found))
            for top, bottom, left, right, mirror, found in rows
        )

    def __len__(self) -> int:
        return self.boxes.shape[0]

    @overload
    def __getitem__(self, index: int) -> Roi: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Roi, ...]: ...

    def __getitem__(self, index: int | slice) -> Roi | tuple[Roi, ...]:
        return self._rois[index]


def device_boxes(rois: Sequence[Roi]) -> torch.Tensor:
    """The boxes of N images as (N, 6) int32 on the device, columns as in FIELDS.

    What is there already is used as it is; other sequences are uploaded.
    """
    if isinstance(rois, DeviceRois):
        return rois.boxes
    rows = np.array([[getattr(roi, name) for name in FIELDS] for roi in rois], np.int32)
    return upload(rows).view(torch.int32).view(len(rois), len(FIELDS))
