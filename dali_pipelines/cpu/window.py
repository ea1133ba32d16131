"""Stored values to display values on the CPU: one gather; the twin of `gpu/window.py`."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.records import Pixels

# np.take wants 8-byte indices. A block of rows at a time keeps them in the cache and small:
# 9 ms for 4096 x 3328 against 17 ms and 109 MB with the whole image at once (one core, NumPy 2.4).
_BLOCK_ROWS: Final = 16


def window(
    pixels: Sequence[Pixels], tables: Sequence[NDArray[np.uint16]]
) -> list[NDArray[np.uint16]]:
    """For each image its display values (H, W) uint16, contiguous: `table[values >> shift]`.

    A table is that of `grayscale.display_table`, of 2**bits entries. Bits above those are
    undefined in a DICOM cell (PS3.5 8.1.1: overlays lived there) and are left out.
    """
    return [_gather(image, table) for image, table in zip(pixels, tables, strict=True)]


def _gather(pixels: Pixels, table: NDArray[np.uint16]) -> NDArray[np.uint16]:
    assert len(table) & (len(table) - 1) == 0, "a table has one entry for each bit pattern"
    # Repeated along and across, the table holds the answer for each of the 65,536 cells, so that
    # no index needs a shift, a mask or a check: "wrap" is merely the fastest mode.
    of_cell = np.resize(np.repeat(table, 1 << pixels.shift), 1 << 16)
    display = np.empty(pixels.values.shape, np.uint16)
    for top in range(0, len(display), _BLOCK_ROWS):
        rows = slice(top, top + _BLOCK_ROWS)
        np.take(of_cell, pixels.values[rows].astype(np.intp), out=display[rows], mode="wrap")
    return display
