"""Find the breast on images of display values: the box to crop, and whether to mirror it.

A reduced image of block sums is thresholded above its background; the largest connected part is
the breast. All sums are exact integers, so another device finds the same box.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dali_pipelines.geometry import block_edge
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi

_DISPLAY_LEVELS: Final = 65536
_HISTOGRAM_LEVELS: Final = 256
_EIGHT_NEIGHBORS: Final = np.ones((3, 3), dtype=bool)


def roi(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box around the breast in each image of display values (H, W) uint16, background dark."""
    return [_find_breast(display, settings) for display in displays]


def _find_breast(display: NDArray[np.uint16], settings: RoiSettings) -> Roi:
    """The box around the breast in one image (H, W).

    Gives the full frame with `found` False where no part is large enough to be a breast, and the
    full frame with `found` True where the method is "none".
    """
    frame = Roi(0, display.shape[0], 0, display.shape[1])
    if settings.method == "none":
        return frame
    block = block_edge(display.shape)
    means = _block_means(display, block)
    breast = _largest_part(
        means > _background_level(means) + int(settings.auto.threshold * _DISPLAY_LEVELS)
    )
    rows, columns = np.flatnonzero(breast.any(axis=1)), np.flatnonzero(breast.any(axis=0))
    if not len(rows):
        return Roi(frame.top, frame.bottom, frame.left, frame.right, found=False)
    box = (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
    mirror = settings.mirror == "chest-left" and _lies_right(breast)
    if (box[1] - box[0]) * (box[3] - box[2]) < settings.auto.min_area * breast.size:
        return Roi(frame.top, frame.bottom, frame.left, frame.right, found=False)
    return _full_size(box, block, settings.auto.margin, display.shape, mirror)


def _block_means(display: NDArray[np.uint16], block: int) -> NDArray[np.int64]:
    """Integer means (rounded down) of blocks of `block` x `block` px; edge blocks are smaller."""
    row_starts = np.arange(0, display.shape[0], block)
    column_starts = np.arange(0, display.shape[1], block)
    # Down the blocks first, all whole ones in one call: 2 ms for 8.5 MP, a call for each block of
    # rows 3.4 ms, one reduceat over the whole image 27 ms (one core). uint32 holds the sum of
    # 256 x 256 px, so images of up to 65,536 px a side.
    sums = np.empty((len(row_starts), display.shape[1]), np.uint32)
    whole = display.shape[0] // block
    stacked = display[: whole * block].reshape(whole, block, display.shape[1])
    np.add.reduce(stacked, axis=1, dtype=np.uint32, out=sums[:whole])
    if whole < len(row_starts):
        np.add.reduce(display[whole * block :], axis=0, dtype=np.uint32, out=sums[whole])
    totals = np.add.reduceat(sums, column_starts, axis=1).astype(np.int64)
    heights = np.minimum(block, display.shape[0] - row_starts)
    widths = np.minimum(block, display.shape[1] - column_starts)
    means: NDArray[np.int64] = totals // (heights[:, None] * widths)
    return means


def _background_level(means: NDArray[np.int64]) -> int:
    """The upper edge of the most frequent level (of 256) in the darker half of the range."""
    levels = np.bincount(means.ravel() // (_DISPLAY_LEVELS // _HISTOGRAM_LEVELS))
    darker = levels[: _HISTOGRAM_LEVELS // 2]
    return (int(darker.argmax()) + 1) * (_DISPLAY_LEVELS // _HISTOGRAM_LEVELS) - 1


def _largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 8-connected part of a mask (H, W); of equal ones the first in reading order."""
    labels, _ = ndimage.label(mask, structure=_EIGHT_NEIGHBORS)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: NDArray[np.bool_] = (labels == sizes.argmax()) & mask
    return largest


def _lies_right(breast: NDArray[np.bool_]) -> bool:
    """Whether more of the breast lies in the right half of the frame: its chest wall is there."""
    half = breast.shape[1] // 2
    return int(breast[:, -half:].sum()) > int(breast[:, :half].sum())


def _full_size(
    box: tuple[int, int, int, int],
    block: int,
    margin: float,
    shape: tuple[int, ...],
    mirror: bool,
) -> Roi:
    """A box of blocks as a box of px, widened by the margin and cut at the frame."""
    top, bottom, left, right = (int(edge) * block for edge in box)
    extra_rows, extra_columns = int((bottom - top) * margin), int((right - left) * margin)
    return Roi(
        top=max(0, top - extra_rows),
        bottom=min(shape[0], bottom + extra_rows),
        left=max(0, left - extra_columns),
        right=min(shape[1], right + extra_columns),
        mirror=mirror,
    )
