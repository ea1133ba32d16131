"""The label that a mammography system burns into the picture, such as a framed "L MLO"."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

GLYPHS: Final = {  # 5 x 7 dots, one row per number, leftmost dot in bit 4
    "L": (16, 16, 16, 16, 16, 16, 31),
    "R": (30, 17, 17, 30, 20, 18, 17),
    "C": (14, 17, 16, 16, 16, 17, 14),
    "M": (17, 27, 21, 21, 17, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14),
    " ": (0, 0, 0, 0, 0, 0, 0),
}


def draw_marker(shape: tuple[int, int], text: str) -> NDArray[np.bool_]:
    """Mask (H, W) of the label in the upper corner that is away from the chest wall.

    That is the right corner for a text that begins with L, the left one for R.
    """
    dots = _framed(text)
    scale = max(1, min(shape) // 260)
    label = np.kron(dots, np.ones((scale, scale), bool))
    mask = np.zeros(shape, bool)
    top, margin = shape[0] // 40, shape[1] // 40
    right = shape[1] - margin if text.startswith("L") else margin + label.shape[1]
    left = max(right - label.shape[1], 0)
    room = mask[top : top + label.shape[0], left:right]
    room[:] = label[: room.shape[0], : room.shape[1]]
    return mask


def _framed(text: str) -> NDArray[np.bool_]:
    """The letters as dots (7 + 6, 6 per letter + 5) with a gap and a one-dot frame around."""
    rows = np.array([GLYPHS[letter] for letter in text]) << 1  # bit 0: the gap to the next letter
    dots = (rows[:, :, None] >> np.arange(5, -1, -1)) & 1
    line = np.hstack(list(dots))[:, :-1].astype(bool)
    return np.pad(np.pad(line, 2), 1, constant_values=True)
