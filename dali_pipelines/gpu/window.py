"""Stored values to display values on the GPU: a gather, through a table that holds the stretch.

The twin of `cpu/window.py`; all arithmetic is of integers, so that the two agree to the bit.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.grayscale import DISPLAY_TOP
from dali_pipelines.pixel_settings import StretchSettings
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
    ]
)


def window(
    pixels: Sequence[Pixels], tables: Sequence[NDArray[np.uint16]], settings: StretchSettings
) -> list[torch.Tensor]:
    """For each image its display values (H, W) uint16 on the device: `table[values >> shift]`.

    A table is that of `grayscale.display_table`, of 2**bits entries. Bits above those are
    undefined in a DICOM cell (PS3.5 8.1.1: overlays lived there) and are left out. Where
    `settings` asks for it, the image's own values are then spread over 0 ... 65535. Nothing here
    waits for the device.
    """
    if not pixels:
        return []
    values = [_on_device(image) for image in pixels]
    displays = [empty(tuple(image.values.shape), torch.uint16) for image in pixels]
    luts = upload(np.concatenate(tables))
    images = upload(_describe(pixels, tables, settings, values, displays, luts.data_ptr()))
    grid = (-(-max(display.numel() for display in displays) // _BLOCK_PX), len(pixels))
    if settings.use == "percentiles":
        _stretch_tables(images, grid, settings)
    current_device().launch("window", "window", grid, _BLOCK, (images,))
    return displays


def _on_device(image: Pixels) -> torch.Tensor:
    """The values without gaps, as uint16 or as their bytes."""
    values = image.values
    if isinstance(values, torch.Tensor):
        assert values.dtype == torch.uint16
        assert values.device.type == current_device().torch_device.type
        return values.contiguous()
    assert values.dtype == np.uint16
    return upload(values)


def _describe(
    pixels: Sequence[Pixels],
    tables: Sequence[NDArray[np.uint16]],
    settings: StretchSettings,
    values: Sequence[torch.Tensor],
    displays: Sequence[torch.Tensor],
    first_table: int,
) -> NDArray[np.void]:
    """One `_IMAGE` for each image, (N,); the tables lie one after another from that address."""
    described = np.zeros(len(pixels), _IMAGE)
    row: Any
    for row, image, table, value, display in zip(
        described, pixels, tables, values, displays, strict=True
    ):
        assert len(table) & (len(table) - 1) == 0, "a table has one entry for each bit pattern"
        row["values"], row["display"] = value.data_ptr(), display.data_ptr()
        row["table"], row["mask"] = first_table, len(table) - 1
        row["count"], row["shift"] = display.numel(), image.shift
        row["ranks"], row["bounds"] = settings.ranks(display.numel()), (DISPLAY_TOP, 0)
        first_table += table.nbytes
    return described


def _stretch_tables(images: torch.Tensor, grid: tuple[int, int], settings: StretchSettings) -> None:
    """Queue what finds black and white of each image, and works them into its table."""
    launch, count = current_device().launch, grid[1]
    if (settings.low, settings.high) == (0, 100):
        launch("window", "extremes", grid, _BLOCK, (images,))
    else:
        counters = empty((count, _LEVELS), torch.int32).zero_()
        launch("window", "histogram", grid, _BLOCK, (images, counters))
        launch("window", "find_ranks", (1, count), _SCAN_BLOCK, (images, counters))
    launch("window", "stretch", (_LEVELS // _BLOCK[0], count), _BLOCK, (images,))
