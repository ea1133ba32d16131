"""Where the px of changed images come from, as the host decides it: a row for each image."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.augment.draws import Numbers
from trainer.augment.placement import (
    Matrices,
    Size,
    affine_matrices,
    after,
    corner_matrices,
    crop_boxes,
    crop_matrices,
    flip_matrices,
    identity,
    inverted,
)
from trainer.augment.settings import AugmentSettings, Change

RESAMPLED: Final[tuple[Change, ...]] = ("crop", "affine", "elastic", "grid", "optical")
FLIPS: Final[tuple[Change, ...]] = ("hflip", "vflip")
_CORNERS: Final = 6  # numbers for `corner_matrices`

Rows = NDArray[np.int64]
Draw = Callable[[Change, Rows, int], Numbers]  # (change, rows, k) -> (len(rows), k) in [0, 1)


@dataclass(frozen=True, slots=True)
class Movement:
    """Where the px of N images come from; None where no image of them moves in that way.

    A place in the changed image, in px from the center, is displaced by columns and rows of other
    widths (`cells` (N, 2, steps), factors for x and for y), by `bends` (N,) of its radius, and by
    the fields of `keys` for the images `elastic`; then `sources` (N, 2, 3) take it to one in the
    image. What would come from outside of `boxes` (N, 4), center x, y and half width, half height,
    is black.
    """

    sources: Matrices
    boxes: Numbers | None
    cells: Numbers | None
    bends: Numbers | None
    elastic: Rows | None
    keys: Numbers | None


def plan_movement(
    settings: AugmentSettings, chosen: Mapping[Change, Rows], draw: Draw, count: int, size: Size
) -> Movement:
    """How `count` images of `size` (H, W) move by the changes `chosen` for each."""
    matrices, boxes = _crop(settings, chosen, draw, count, size)
    turned = [np.isin(np.arange(count), chosen.get(flip, [])) for flip in FLIPS]
    matrices = after(flip_matrices(*turned), matrices)
    if "affine" in chosen:
        rows = chosen["affine"]
        moves = affine_matrices(draw("affine", rows, 6), size, settings.affine)
        matrices[rows] = after(moves, matrices[rows])
    keys = None
    if "elastic" in chosen:
        rows = chosen["elastic"]
        drawn = draw("elastic", rows, 1 + _CORNERS)
        keys = drawn[:, 0]
        moves = corner_matrices(drawn[:, 1:], size, settings.elastic)
        matrices[rows] = after(moves, matrices[rows])
    return Movement(
        sources=inverted(matrices),
        boxes=boxes,
        cells=_cells(settings, chosen, draw, count),
        bends=_bends(settings, chosen, draw, count),
        elastic=chosen.get("elastic"),
        keys=keys,
    )


def _crop(
    settings: AugmentSettings, chosen: Mapping[Change, Rows], draw: Draw, count: int, size: Size
) -> tuple[Matrices, Numbers | None]:
    """The matrices that enlarge boxes, and the boxes where what is around them is black."""
    matrices = identity(count)
    if "crop" not in chosen:
        return matrices, None
    rows = chosen["crop"]
    cut = crop_boxes(draw("crop", rows, 4), size, settings.crop)
    matrices[rows] = crop_matrices(cut, size, settings.crop)
    if settings.crop.fit == "stretch":
        return matrices, None
    boxes = np.full((count, 4), np.inf)
    boxes[:, :2] = 0
    boxes[rows] = cut
    return matrices, boxes


def _cells(
    settings: AugmentSettings, chosen: Mapping[Change, Rows], draw: Draw, count: int
) -> Numbers | None:
    if "grid" not in chosen:
        return None
    rows, (steps, limit) = chosen["grid"], (settings.grid.steps, settings.grid.limit)
    cells = np.ones((count, 2, steps))
    cells[rows] += limit * (2 * draw("grid", rows, 2 * steps).reshape(-1, 2, steps) - 1)
    return cells


def _bends(
    settings: AugmentSettings, chosen: Mapping[Change, Rows], draw: Draw, count: int
) -> Numbers | None:
    if "optical" not in chosen:
        return None
    rows = chosen["optical"]
    bends = np.zeros(count)
    bends[rows] = settings.optical.limit * (2 * draw("optical", rows, 1)[:, 0] - 1)
    return bends
