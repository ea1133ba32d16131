"""Black outside of a ROI's mask, on the GPU; the twin of `cpu/mask.py`."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from dali_pipelines.gpu.boxes import DeviceRois
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.stages import Roi

_THREADS: Final = 256  # of mask.cu
_IMAGE: Final = np.dtype(  # struct Image of mask.cu
    [
        ("values", np.uint64),
        ("masked", np.uint64),
        ("words", np.uint64),
        ("height", np.int32),
        ("width", np.int32),
    ]
)


def mask(displays: Sequence[torch.Tensor], rois: Sequence[Roi]) -> Sequence[torch.Tensor]:
    """The images (H, W) uint16 with 0 where a ROI's mask is False; without masks as they are.

    Images are contiguous and on the device; nothing waits for it.
    """
    assert len(displays) == len(rois)
    if not displays or not isinstance(rois, DeviceRois) or rois.masks is None:
        return displays
    assert all(display.is_contiguous() for display in displays)
    masked = [empty(tuple(display.shape), torch.uint16) for display in displays]
    images = np.zeros(len(displays), _IMAGE)
    images["values"] = [display.data_ptr() for display in displays]
    images["masked"] = [image.data_ptr() for image in masked]
    images["words"] = rois.masks.words.data_ptr() + 4 * rois.masks.firsts
    images["height"], images["width"] = np.transpose([display.shape for display in displays])
    grid = (int(images["height"].max()), len(displays))
    arguments = (upload(images), rois.boxes)
    current_device().launch("mask", "apply_masks", grid, (_THREADS,), arguments)
    return masked
