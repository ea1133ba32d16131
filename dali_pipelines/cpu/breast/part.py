"""The breast among all that stands out from the background."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

# Constants of kernels/breast_part.cuh too, in 256ths of the longer side of the image.
RADIUS: Final = 7  # what is thinner than twice that is no breast: letters, lines, frames
RESTORED: Final = 4  # how far what was cut off comes back: the nipple, and corners
FEW: Final = 6  # a row or column with no more blocks than that does not widen the box

_EIGHT_NEIGHBORS: Final = np.ones((3, 3), bool)


def breast_part(lit: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of a mask (R, C) that is a breast: the largest that holds a square of 15 blocks.

    The mask is opened by that square (beyond the frame all counts as lit, for a breast goes on
    there), the largest 8-connected part of the rest is taken, of equal ones the first in reading
    order, and widened within the mask by four blocks. Lengths are for an image of 256 blocks.
    """
    radius, restored = (max(lit.shape) * share // 256 for share in (RADIUS, RESTORED))
    size = 2 * radius + 1
    kept = ndimage.minimum_filter(lit, size, mode="constant", cval=True)
    opened = ndimage.maximum_filter(kept, size, mode="constant", cval=False)
    part = largest_part(opened)
    if restored:
        part = ndimage.binary_dilation(part, _EIGHT_NEIGHBORS, restored, mask=lit)
    found: NDArray[np.bool_] = part
    return found


def largest_part(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 8-connected part of a mask (R, C); of equal ones the first in reading order."""
    labels, _ = ndimage.label(mask, structure=_EIGHT_NEIGHBORS)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest: NDArray[np.bool_] = (labels == sizes.argmax()) & mask
    return largest


def part_box(part: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right) of the rows and columns that hold enough of it, half-open."""
    few = max(part.shape) * FEW // 256
    rows = np.flatnonzero(part.sum(axis=1) > few)
    columns = np.flatnonzero(part.sum(axis=0) > few)
    if not len(rows) or not len(columns):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
