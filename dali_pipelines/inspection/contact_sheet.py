"""What the network sees, as pictures: a contact sheet of prepared images."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.recipe import Recipe

_COLUMNS: Final = 8
_TILE_WIDTH_IN: Final = 1.5
_CAPTION_IN: Final = 0.22
_DPI: Final = 100


@dataclass(frozen=True, slots=True)
class Tile:
    """One prepared image (C, H, W) float32 as the network gets it, and a line to print above it."""

    image: NDArray[np.float32]
    caption: str


def contact_sheet(tiles: Sequence[Tile], recipe: Recipe) -> bytes:
    """A PNG of all tiles, eight in a row, black to white as display values 0 to 1.

    Raises ValueError where there is nothing to show.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - 1 s to import
    from matplotlib.figure import Figure  # noqa: PLC0415

    if not tiles:
        raise ValueError("a contact sheet needs at least one image")
    rows, columns = math.ceil(len(tiles) / _COLUMNS), min(len(tiles), _COLUMNS)
    aspect = recipe.size[0] / recipe.size[1]
    size_in = (columns * _TILE_WIDTH_IN, rows * (_TILE_WIDTH_IN * aspect + _CAPTION_IN))
    figure = Figure(figsize=size_in, dpi=_DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.ravel():
        axes.set_axis_off()
    for axes, tile in zip(grid.ravel(), tiles, strict=False):
        axes.imshow(display_values(tile.image, recipe), cmap="gray", vmin=0, vmax=1)
        axes.set_title(tile.caption, fontsize=7, pad=2)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": ""})
    return file.getvalue()


def display_values(image: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """The first channel (H, W) of a prepared image as display values 0 ... 1 again.

    Where the recipe spreads each image, 0 and 1 are its least and greatest value.
    """
    shown: NDArray[np.float32] = image[0] * recipe.resize.stds[0] + recipe.resize.means[0]
    if recipe.resize.per_image == "standardize":
        shown -= shown.min()
        shown /= shown.max() or 1
    return shown
