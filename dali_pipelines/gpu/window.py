"""Stored values to display values on the GPU: a gather, through a table that holds the stretch.

The twin of `cpu/window.py`; all arithmetic is of integers, so that the two agree to the bit.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

import numpy as np
import torch

from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.pixel_settings import StretchSettings
from dali_pipelines.shading import Shading
from dali_pipelines.stages import Pixels

_LEVELS: Final = DISPLAY_TOP + 1
_BLOCK: Final = (256,)
_SCAN_BLOCK: Final = (1024,)  # SCAN_THREADS of window.cu
# Eight loads of 8 px a thread: 830 blocks for 13.6 MP, and 8 such images a batch hold more threads
# than any GPU runs at once, while runs of one value stay long. Counted, not measured.
_BLOCK_PX: Final = 256 * 8 * 8

_IMAGE: Final = np.dtype(  # struct Image of window.cu
    [
        ("values", np.uint64),
        ("display", np.uint64),
        ("table", np.uint64),
        ("count", np.int64),
        ("shift", np.int32),
        ("mask", np.int32),
        ("ranks", np.uint32, 2),
        ("bounds", np.uint32, 2),
        ("nearest", np.int32),
        ("sigmoid", np.int32),
        ("eight_bits", np.int32),
        ("unused", np.int32),
    ]
)


class _Work(IntEnum):
    """What an image's table needs before its px are gathered."""

    NOTHING = 0
    LEVELS = 1
    EXTREMES = 2
    RANKS = 3


def window(pixels: Sequence[Pixels], shadings: Sequence[Shading]) -> list[torch.Tensor]:
    """For each image its display values (H, W) uint16 on the device: `table[values >> shift]`.

    A table has 2**bits entries. Bits above those are undefined in a DICOM cell (PS3.5 8.1.1:
    overlays lived there) and are left out. Where its shading asks for it, the image's own values
    are then spread over 0 ... 65535, or kept as 256 levels (`StretchSettings`). Nothing here waits
    for the device.
    """
    if not pixels:
        return []
    works = [_work(shading.stretch) for _, shading in zip(pixels, shadings, strict=True)]
    order = sorted(range(len(pixels)), key=works.__getitem__)
    values = {id(image): _on_device(image) for image in pixels}  # one may be shown in two ways
    displays = [empty(tuple(image.values.shape), torch.uint16) for image in pixels]
    luts = upload(np.concatenate([shadings[k].table for k in order]))
    described = np.zeros(len(pixels), _IMAGE)
    first_table = luts.data_ptr()
    for row, k in zip(described, order, strict=True):
        _describe(row, pixels[k], shadings[k], values[id(pixels[k])], displays[k])
        row["table"] = first_table
        first_table += shadings[k].table.nbytes
    images = upload(described)
    blocks = -(-max(display.numel() for display in displays) // _BLOCK_PX)
    _stretch_tables(images, blocks, [works[k] for k in order])
    current_device().launch("window", "window", (blocks, len(pixels)), _BLOCK, (images,))
    return displays


def _work(stretch: StretchSettings) -> _Work:
    if stretch.use == "none":
        return _Work.LEVELS if stretch.bits == 8 else _Work.NOTHING
    return _Work.EXTREMES if stretch.to_extremes else _Work.RANKS


def _on_device(image: Pixels) -> torch.Tensor:
    """The values without gaps, as uint16 or as their bytes.

    An image whose edge was cut is copied, 4 bytes a px: the kernels count px, not rows.
    """
    values = image.values
    if isinstance(values, torch.Tensor):
        assert values.dtype == torch.uint16
        assert values.device.type == current_device().torch_device.type
        return values.contiguous()
    assert values.dtype == np.uint16
    return upload(values)


def _describe(
    row: Any, image: Pixels, shading: Shading, value: torch.Tensor, display: torch.Tensor
) -> None:
    """Fill the image's `_IMAGE`, but for where its table lies."""
    table, stretch = shading.table, shading.stretch
    assert len(table) & (len(table) - 1) == 0, "a table has one entry for each bit pattern"
    row["values"], row["display"] = value.data_ptr(), display.data_ptr()
    row["count"], row["shift"] = display.numel(), image.shift
    row["mask"] = len(table) - 1
    row["ranks"] = stretch.ranks(display.numel())
    spread = stretch.use != "none"
    row["bounds"] = (DISPLAY_TOP, 0) if spread else (0, DISPLAY_TOP)
    row["nearest"] = stretch.rounding == "nearest"
    row["sigmoid"] = spread and stretch.curve == "sigmoid"
    row["eight_bits"] = stretch.bits == 8


def _stretch_tables(images: torch.Tensor, blocks: int, works: Sequence[_Work]) -> None:
    """Queue what finds black and white of each image, and works them into its table.

    `works` ascend; each launch is of those images that need it.
    """
    launch, size = current_device().launch, _IMAGE.itemsize
    firsts = {work: bisect_left(works, work) for work in _Work}
    ranks = len(works) - firsts[_Work.RANKS]
    extremes = firsts[_Work.RANKS] - firsts[_Work.EXTREMES]
    changed = len(works) - firsts[_Work.LEVELS]
    if extremes:
        those = images[firsts[_Work.EXTREMES] * size :]
        launch("window", "extremes", (blocks, extremes), _BLOCK, (those,))
    if ranks:
        those = images[firsts[_Work.RANKS] * size :]
        counters = empty((ranks, _LEVELS), torch.int32).zero_()
        launch("window", "histogram", (blocks, ranks), _BLOCK, (those, counters))
        launch("window", "find_ranks", (1, ranks), _SCAN_BLOCK, (those, counters))
    if changed:
        those = images[firsts[_Work.LEVELS] * size :]
        launch("window", "stretch", (_LEVELS // _BLOCK[0], changed), _BLOCK, (those,))
