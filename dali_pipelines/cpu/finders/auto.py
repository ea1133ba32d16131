"""Find the breast on images of display values: the box to crop, and whether to mirror it.

Our own method. On the reduced image of block means, the lines of a frame are left out, the level of
the background is read off the sides, whether bright or dark, and what stands out from it is
opened, so that labels, lines and the rest of a frame fall off; the largest part is the breast.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.breast.background import tell_background
from dali_pipelines.cpu.breast.block_means import block_means
from dali_pipelines.cpu.breast.frame_lines import Inside, inside_frame
from dali_pipelines.cpu.breast.part import breast_part, part_box
from dali_pipelines.geometry import block_edge
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi

_LEVELS: Final = 256


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box around the breast in each image of display values (H, W) uint16."""
    return [_find_breast(display, settings) for display in displays]


def _find_breast(display: NDArray[np.uint16], settings: RoiSettings) -> Roi:
    """The box around the breast in one image (H, W).

    Gives the full frame with `found` False where no part is large enough to be a breast.
    """
    frame = Roi(0, display.shape[0], 0, display.shape[1], found=False)
    edge = block_edge(display.shape)
    means = block_means(display, edge)
    inside = inside_frame(means)
    picture = means[inside.top : inside.bottom, inside.left : inside.right]
    background = tell_background(picture, max(1, int(settings.auto.threshold * _LEVELS)))
    if background is None:
        return frame
    part = breast_part(background.stands_out(picture))
    box = part_box(part)
    if box is None or _area(box) < settings.auto.min_area * means.size:
        return frame
    mirror = settings.mirror == "chest-left" and _lies_right(part, inside.left, means.shape[1])
    return _full_size(box, inside, edge, settings.auto.margin, display.shape, mirror)


def _area(box: tuple[int, int, int, int]) -> int:
    """Blocks in a box."""
    return (box[1] - box[0]) * (box[3] - box[2])


def _lies_right(part: NDArray[np.bool_], left: int, columns: int) -> bool:
    """Whether more of the breast lies in the right half of the frame: its chest wall is there.

    `left` is the column of the frame, which has `columns`, in which the part's image begins.
    """
    half = columns // 2
    column = np.arange(left, left + part.shape[1])
    sides = np.where(column >= columns - half, 1, np.where(column < half, -1, 0))
    return int((part.sum(axis=0) * sides).sum()) > 0


def _full_size(
    box: tuple[int, int, int, int],
    inside: Inside,
    edge: int,
    margin: float,
    shape: tuple[int, ...],
    mirror: bool,
) -> Roi:
    """A box of blocks as a box of px, widened by the margin and cut at the frame's inner edges."""
    top, bottom = ((inside.top + row) * edge for row in box[:2])
    left, right = ((inside.left + column) * edge for column in box[2:])
    extra_rows, extra_columns = int((bottom - top) * margin), int((right - left) * margin)
    return Roi(
        top=max(inside.top * edge, top - extra_rows),
        bottom=min(shape[0], inside.bottom * edge, bottom + extra_rows),
        left=max(inside.left * edge, left - extra_columns),
        right=min(shape[1], inside.right * edge, right + extra_columns),
        mirror=mirror,
    )
