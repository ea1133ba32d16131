"""Crop, mirror, resize, pad, normalize and cast: what the network sees.

The twin of `cpu/resize.py`, in one launch for a whole batch, or three where each image is
normalized by its own values. Sums go in the order stated there, so float32 output is equal to the
bit; half types are its values, rounded to nearest (even).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.boxes import device_boxes
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.output_values import affines, level_step
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi

# The following are those of kernels/resize.cu and the files that it includes.
_TILE_ROWS: Final = 64
_TILE_COLUMNS: Final = 32
_BLOCK: Final = (32, 8)
_DTYPES: Final = (torch.float32, torch.bfloat16, torch.float16)
_FITS: Final = ("pad", "pad-first", "width", "keep", "stretch")
_IMAGE: Final = np.dtype([("pixels", np.uint64), ("width", np.int32)], align=True)

# Those of kernels/normalize.cu.
_MEASURE: Final = np.dtype(
    [("sum", np.uint64), ("square", np.uint64), ("low", np.uint32), ("high", np.uint32)]
)
_LINE_BLOCK: Final = (256,)
_PX_A_THREAD: Final = 16  # 288 blocks for 1536 x 768: two for each multiprocessor of an H100


def resize(
    displays: Sequence[torch.Tensor],
    rois: Sequence[Roi],
    settings: ResizeSettings,
    out: torch.Tensor,
) -> None:
    """Fill `out` (N, C, H, W) with the network's input from N display images (H', W') uint16.

    With nothing done per image a display value v gives (v / 65535 - mean) / std in the type of
    `out`; padding counts as v = 0, black. All tensors are contiguous and on the device; nothing
    waits for it.
    """
    assert len(displays) == len(rois)
    assert out.shape == (len(displays), settings.channels, *settings.size)
    assert out.is_contiguous()
    if not displays:
        return
    if settings.per_image == "none":
        _resize(displays, rois, settings, DISPLAY_TOP, out)
        return
    as_it_is = replace(settings, channels=1, mean=0.0, std=1.0)
    canvas = empty((len(displays), 1, *settings.size), torch.float32)
    _resize(displays, rois, as_it_is, 1, canvas)
    _normalize(canvas, settings, out)


def _resize(
    displays: Sequence[torch.Tensor],
    rois: Sequence[Roi],
    settings: ResizeSettings,
    unit: float,
    out: torch.Tensor,
) -> None:
    """Queue what fills `out`; a display value of `unit` becomes 1 before mean and std."""
    height, width = settings.size
    current_device().launch(
        "resize",
        "resize_triangle" if settings.filter == "triangle" else "resize",
        (-(-width // _TILE_COLUMNS), -(-height // _TILE_ROWS), len(displays)),
        _BLOCK,
        (
            _descriptors(displays),
            device_boxes(rois),
            out,
            *np.array([_DTYPES.index(out.dtype), settings.channels, height, width], np.int32),
            *np.array([_FITS.index(settings.fit), settings.align == "center"], np.int32),
            *np.array([settings.filter == "linear", settings.rounding == "down"], np.int32),
            np.int32(level_step(settings)),
            *_of_three(np.array([scale for scale, _ in affines(settings, unit)])),
            *_of_three(np.array([shift for _, shift in affines(settings, unit)])),
        ),
    )


def _normalize(canvas: torch.Tensor, settings: ResizeSettings, out: torch.Tensor) -> None:
    """Queue what makes `out` of display values (N, 1, H, W), each image by its own."""
    count = np.int32(canvas[0].numel())
    grid = (-(-int(count) // (_LINE_BLOCK[0] * _PX_A_THREAD)), len(canvas))
    measures = upload(np.array([(0, 0, 0xFFFFFFFF, 0)] * len(canvas), _MEASURE))
    launch = current_device().launch
    launch("normalize", "measure", grid, _LINE_BLOCK, (canvas, measures, count))
    standardize, parts = settings.per_image == "standardize", settings.per_image_bits == 8
    arguments = (
        *(canvas, measures, out, count),
        *np.array([_DTYPES.index(out.dtype), settings.channels], np.int32),
        *np.array([standardize, parts and not standardize], np.int32),
        *_of_three(np.array([shift for _, shift in affines(settings, 1)])),
        *_of_three(np.array(settings.stds, np.float64)),
    )
    launch("normalize", "normalize", grid, _LINE_BLOCK, arguments)


def _of_three(numbers: NDArray[Any]) -> NDArray[Any]:
    """One number for each of three channels, 1 for those that are not there."""
    return np.pad(numbers, (0, 3 - len(numbers)), constant_values=1)


def _descriptors(displays: Sequence[torch.Tensor]) -> torch.Tensor:
    """Where each image lies, as the kernel's array of struct Image."""
    rows = np.zeros(len(displays), _IMAGE)
    for row, display in zip(rows, displays, strict=True):
        assert display.is_contiguous()
        row["pixels"], row["width"] = display.data_ptr(), display.shape[1]
    return upload(rows)
