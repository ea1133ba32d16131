"""Heat over the picture it is of."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trainer.explain.heat_boxes import HeatBox

# Red to pale yellow, of rising luminance (0.12 to 0.86), so that a gray print shows the order too.
_STOPS: Final = (0.0, 0.35, 0.7, 1.0)
_COLORS: Final = np.array(
    [[0.45, 0.02, 0.25], [0.78, 0.12, 0.20], [0.98, 0.52, 0.10], [1.00, 0.93, 0.45]]
)
_LEVELS: Final = 256
FAINTEST: Final = 0.5 / (_LEVELS - 1)  # less heat is no color
_COVER: Final = 0.6  # of a px by the hottest color; what lies below stays to be seen
_OUTLINE: Final = (80, 220, 255)  # the complement of the heat's colors


def overlay(gray: NDArray[np.floating], heat: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) uint8 RGB: `gray` (H, W) in 0 ... 1 under `heat` (H, W) in 0 ... 1.

    Where heat is 0 it is gray; half of what a color covers is shaded as the gray below it.
    """
    levels = np.rint(np.clip(heat, 0, 1) * (_LEVELS - 1)).astype(np.intp)
    cover = _COVER * np.sqrt(levels / (_LEVELS - 1)).astype(np.float32)
    below = np.clip(gray, 0, 1).astype(np.float32)
    shade = cover * (0.5 + 0.5 * below)
    below = below * (1 - cover)
    shown = np.empty((*heat.shape, 3), np.uint8)
    for channel, ramp in enumerate(_ramp()):
        shown[..., channel] = np.rint(255 * (below + shade * ramp[levels]))
    return shown


def outlined(picture: NDArray[np.uint8], boxes: Sequence[HeatBox]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) with the outlines of boxes in its own px, drawn from within."""
    page = Image.fromarray(picture)
    pen = ImageDraw.Draw(page)
    width = max(1, round(max(picture.shape) / 512))
    for box in boxes:
        pen.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), None, _OUTLINE, width)
    return np.asarray(page)


def _ramp() -> NDArray[np.float32]:
    """(3, _LEVELS): the red, green and blue of each level of heat."""
    levels = np.linspace(0, 1, _LEVELS)
    ramp = np.stack([np.interp(levels, _STOPS, color) for color in _COLORS.T])
    return ramp.astype(np.float32)
