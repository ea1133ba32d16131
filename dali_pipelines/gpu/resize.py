"""Crop, mirror, antialiased resize, pad, normalize and cast: what the network sees.

The twin of `cpu/resize.py`, in one launch for a whole batch. Sums go in the order stated there, so
float32 output is equal to the bit; half types are its values, rounded to nearest (even).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from dali_pipelines.gpu.boxes import device_boxes
from dali_pipelines.gpu.device import current_device, upload
from dali_pipelines.grayscale import DISPLAY_TOP
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi

# The following are those of kernels/resize.cu.
_TILE_ROWS: Final = 64
_TILE_COLUMNS: Final = 32
_BLOCK: Final = (32, 8)
_DTYPES: Final = (torch.float32, torch.bfloat16, torch.float16)
_IMAGE: Final = np.dtype([("pixels", np.uint64), ("width", np.int32)], align=True)


def resize(
    displays: Sequence[torch.Tensor],
    rois: Sequence[Roi],
    settings: ResizeSettings,
    out: torch.Tensor,
) -> None:
    """Fill `out` (N, C, H, W) with the network's input from N display images (H', W') uint16.

    A display value v gives (v / 65535 - mean) / std in the type of `out`; padding counts as v = 0,
    black. All tensors are contiguous and on the device; nothing waits for it.
    """
    assert len(displays) == len(rois)
    assert out.shape == (len(displays), settings.channels, *settings.size)
    assert out.is_contiguous()
    if not displays:
        return
    height, width = settings.size
    current_device().launch(
        "resize",
        "resize",
        (-(-width // _TILE_COLUMNS), -(-height // _TILE_ROWS), len(displays)),
        _BLOCK,
        (
            _descriptors(displays),
            device_boxes(rois),
            out,
            *np.array([_DTYPES.index(out.dtype), settings.channels, height, width], np.int32),
            *np.array([settings.fit == "pad", settings.align == "center"], np.int32),
            np.float32(1 / (DISPLAY_TOP * settings.std)),
            np.float32(-settings.mean / settings.std),
        ),
    )


def _descriptors(displays: Sequence[torch.Tensor]) -> torch.Tensor:
    """Where each image lies, as the kernel's array of struct Image."""
    rows = np.zeros(len(displays), _IMAGE)
    for row, display in zip(rows, displays, strict=True):
        assert display.is_contiguous()
        row["pixels"], row["width"] = display.data_ptr(), display.shape[1]
    return upload(rows)
