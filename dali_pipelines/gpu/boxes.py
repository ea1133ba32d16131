"""Boxes that stay on the device, one row of int32 for each image, until the host looks at one."""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import overload

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.device import Download, upload
from dali_pipelines.stages import Roi

FIELDS = ("top", "bottom", "left", "right", "mirror", "found")  # of a Roi, in the order of a row


@dataclass(frozen=True, slots=True)
class DeviceMasks:
    """Which px of N images are kept: bits of `words` (n,) int32 on the device.

    A row (W,) is a row of ceil(W / 32) words, its px x the bit x % 32 of word x // 32. The first
    row of an image starts at the word `firsts` (N,) int64, on the host.
    """

    words: torch.Tensor
    firsts: NDArray[np.int64]


class DeviceRois(Sequence[Roi]):
    """The boxes of N images: `boxes` (N, 6) int32 on the device, columns as in FIELDS.

    The way to the host starts at once and holds up nothing; the first look at an element waits
    until all boxes have come. `masks`, where a method gives them, stay on the device: an element
    has none. They do not count where nothing was found.
    """

    def __init__(self, boxes: torch.Tensor, masks: DeviceMasks | None = None) -> None:
        self.boxes = boxes
        self.masks = masks
        self._download = Download(boxes)

    def with_boxes(self, boxes: torch.Tensor) -> "DeviceRois":
        """The same, with other boxes (N, 6) int32 on the device."""
        changed = copy(self)
        changed.__dict__.pop("_rois", None)
        changed.boxes, changed._download = boxes, Download(boxes)
        return changed

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
