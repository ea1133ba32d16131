"""Stored values to display values on the CPU: a gather, then a stretch where the recipe wants one.

The twin of `gpu/window.py`; all arithmetic is of integers, so that the two agree to the bit.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.pixel_settings import StretchSettings
from dali_pipelines.shading import Shading
from dali_pipelines.stages import Pixels

# np.bincount makes 8-byte copies of what it counts: 4 MiB of them at a time stay in the cache.
_COUNTED_PX: Final = 1 << 19
_LEVEL: Final = 257  # DISPLAY_TOP / 255: the display value of level 1 of 256
# 2**26 / 26! = 2e-19 is below half of the last bit of exp(-2) = 0.135: 1.4e-17.
_SERIES_TERMS: Final = 26


def window(pixels: Sequence[Pixels], shadings: Sequence[Shading]) -> list[NDArray[np.uint16]]:
    """For each image its display values (H, W) uint16, contiguous: `table[values >> shift]`.

    A table has 2**bits entries. Bits above those are undefined in a DICOM cell (PS3.5 8.1.1:
    overlays lived there) and are left out. Where its shading asks for it, the image's own values
    are then spread over 0 ... 65535, or kept as 256 levels (`StretchSettings`).
    """
    return [_show(image, shading) for image, shading in zip(pixels, shadings, strict=True)]


def _show(image: Pixels, shading: Shading) -> NDArray[np.uint16]:
    table, stretch = shading.table, shading.stretch
    assert isinstance(image.values, np.ndarray)
    assert len(table) & (len(table) - 1) == 0, "a table has one entry for each bit pattern"
    values = np.ascontiguousarray(image.values)
    # Repeated along and across, the table holds the answer for each of the 65,536 cells, so
    # that no index needs a shift, a mask or a check.
    cells = np.resize(np.repeat(table, 1 << image.shift), 1 << 16)
    if stretch.use != "none":
        cells = _stretch_table(*_black_and_white(values, cells, stretch), stretch)[cells]
    return _gather(values, _levels(cells, stretch))


def _levels(table: NDArray[np.uint16], stretch: StretchSettings) -> NDArray[np.uint16]:
    """The table with its values brought to the levels of `stretch.bits`."""
    return table // _LEVEL * _LEVEL if stretch.bits == 8 else table


def _stretch_table(low: int, high: int, stretch: StretchSettings) -> NDArray[np.uint16]:
    """(65536,): `low` to 0, `high` to 65535, linear between, rounded, level beyond.

    Where `low` equals `high` it is a step: values up to it are 0, those above 65535.
    """
    values = np.arange(1 << 16, dtype=np.int64)
    if stretch.curve == "sigmoid":
        return _sigmoid_table(np.clip(values, low, high), low, high, stretch)
    span = high - low
    if span == 0:
        return np.where(values > low, DISPLAY_TOP, 0).astype(np.uint16)
    half = span if stretch.rounding == "nearest" else 0
    spread = (2 * DISPLAY_TOP * (values - low) + half) // (2 * span)
    return np.clip(spread, 0, DISPLAY_TOP).astype(np.uint16)


def _sigmoid_table(
    values: NDArray[np.int64], low: int, high: int, stretch: StretchSettings
) -> NDArray[np.uint16]:
    """65535 / (1 + exp(-4 (v - c) / w)), c = (low + high + 1) / 2, w = high - low + 1, rounded.

    The exponent lies in -2 ... 2, where these terms of the exponential series suffice. All
    operations are of float64 in this order, so that another device repeats them to the bit.
    """
    exponent = (2.0 * (low + high + 1 - 2 * values)) / (high - low + 1)
    power = np.ones(len(values))
    for term in range(_SERIES_TERMS, 0, -1):
        power = 1.0 + exponent / term * power
    shown = DISPLAY_TOP / (1.0 + power)
    rounded = shown + 0.5 if stretch.rounding == "nearest" else shown
    return np.floor(rounded).astype(np.uint16)


def _black_and_white(
    values: NDArray[np.uint16], cells: NDArray[np.uint16], stretch: StretchSettings
) -> tuple[int, int]:
    """The display values of an image, `cells[values]`, at the ranks that `stretch` names."""
    if stretch.to_extremes:
        least, greatest = int(values.min()), int(values.max())
        steps = np.diff(cells[least : greatest + 1].astype(np.int32))
        if (steps >= 0).all() or (steps <= 0).all():  # so the ends are those of the values
            low, high = sorted((int(cells[least]), int(cells[greatest])))
            return low, high
    flat = values.ravel()
    parts = (flat[start : start + _COUNTED_PX] for start in range(0, flat.size, _COUNTED_PX))
    counts = sum(np.bincount(part, minlength=1 << 16) for part in parts)
    upto = np.cumsum(np.bincount(cells, weights=counts, minlength=1 << 16))
    first, last = np.searchsorted(upto, stretch.ranks(flat.size))
    return int(first), int(last)


def _gather(values: NDArray[np.uint16], table: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """`table[values]` (H, W) for a table of 65,536 entries.

    Arrow's take reads 2-byte indices as they are, where NumPy's wants 8-byte ones first: 2.4 ms
    against 5.8 ms for 8.5 MP. And NumPy's is fast only in small blocks, hundreds of calls that each
    give the GIL away and wait to get it back: 21 ms with two threads at work.
    """
    flat = values.ravel()
    indices = pa.Array.from_buffers(pa.uint16(), flat.size, [None, pa.py_buffer(flat)])
    taken = pc.take(pa.array(table), indices, boundscheck=False)
    return np.frombuffer(taken.buffers()[1], np.uint16, flat.size).reshape(values.shape)
