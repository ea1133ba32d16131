"""Heat on the px of the file, from that on the px of what a network saw."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.original_px import to_network
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Roi

Map = NDArray[np.float32]


def on_file(
    heat: Map, roi: Roi, recipe: Recipe, shape: tuple[int, int], size: tuple[int, int]
) -> Map:
    """Heat (h, w) float32 on the whole image of a file of `shape` (H, W), drawn at `size` (h, w).

    `heat` is that of the network's image, and `roi` what was cut out for it, in px of the file
    (`Batch.rois`). Linear between px; 0 outside of that box and where the network saw none of it.
    """
    rows = (np.arange(size[0]) + 0.5) * (shape[0] / size[0])
    columns = (np.arange(size[1]) + 0.5) * (shape[1] / size[1])
    down = to_network(_along(rows, 0), roi, recipe)[:, 0]
    across = to_network(_along(columns, 1), roi, recipe)[:, 1]
    rows_in = (roi.top <= rows) & (rows < roi.bottom) & (down >= 0) & (down < heat.shape[0])
    columns_in = (roi.left <= columns) & (columns < roi.right)
    columns_in &= (across >= 0) & (across < heat.shape[1])
    drawn = np.zeros(size, np.float32)
    part = _between(_between(heat, down[rows_in]).T, across[columns_in]).T
    drawn[np.ix_(rows_in, columns_in)] = part
    return drawn


def _along(places: NDArray[Any], axis: int) -> NDArray[np.float64]:
    points = np.zeros((len(places), 2))
    points[:, axis] = places
    return points


def _between(rows: Map, places: NDArray[np.float64]) -> Map:
    """Rows (n, W) at places along rows (H, W), linear between the centers of two."""
    centers = np.clip(places - 0.5, 0, len(rows) - 1)
    first = np.floor(centers).astype(np.intp)
    share = (centers - first).astype(np.float32)[:, None]
    second = np.minimum(first + 1, len(rows) - 1)
    between: Map = rows[first] * (1 - share) + rows[second] * share
    return between
