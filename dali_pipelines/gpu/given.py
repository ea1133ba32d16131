"""Boxes by hand in the place of those that were found, on the GPU; the twin of `cpu/given.py`."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from dali_pipelines.gpu.boxes import FIELDS, DeviceMasks, DeviceRois
from dali_pipelines.gpu.device import upload
from dali_pipelines.records import GivenBox
from dali_pipelines.stages import Roi

_MASK_PX: Final = 32  # in a word of boxes.DeviceMasks


def put_given(
    displays: Sequence[torch.Tensor], rois: Sequence[Roi], given: Sequence[GivenBox | None]
) -> Sequence[Roi]:
    """`rois`, but for each image that has a box by hand, in px of the image (H, W), that one.

    It comes without a mask, and is mirrored as the found one where it does not say. Nothing waits
    for the device: rows of the boxes are overwritten there.
    """
    assert len(displays) == len(rois) == len(given)
    if not isinstance(rois, DeviceRois):
        return [
            roi if box is None else roi.given(box) for roi, box in zip(rois, given, strict=True)
        ]
    if rois.masks is not None:
        _keep_all(rois.masks, [k for k, box in enumerate(given) if box], displays)
    return rois.with_boxes(_overwritten(rois.boxes, given))


def _overwritten(boxes: torch.Tensor, given: Sequence[GivenBox | None]) -> torch.Tensor:
    """The boxes (N, 6) with the rows that are given, but for what these leave open."""
    rows = np.zeros((len(given), len(FIELDS)), np.int32)
    is_given = np.zeros(rows.shape, np.uint8)
    for k, box in enumerate(given):
        if box is not None:
            rows[k] = box.top, box.bottom, box.left, box.right, box.mirror is True, True
            is_given[k] = 1
            is_given[k, FIELDS.index("mirror")] = box.mirror is not None
    chosen = upload(is_given).view(rows.shape) > 0
    return torch.where(chosen, upload(rows).view(torch.int32).view(rows.shape), boxes)


def _keep_all(masks: DeviceMasks, images: Sequence[int], displays: Sequence[torch.Tensor]) -> None:
    """Set every bit of the masks of these images."""
    for k in images:
        height, width = displays[k].shape
        first = int(masks.firsts[k])
        masks.words[first : first + height * -(-width // _MASK_PX)] = -1
