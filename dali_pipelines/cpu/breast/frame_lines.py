"""The lines along the sides of a picture that are no picture: film borders, detector edges, masks.

Such a side has lines of one level that end abruptly, all at once. Air ends gradually, where the
breast bulges into it, and a breast at the side has many levels.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Constants of kernels/breast_frame.cuh too. They were chosen on drawn frames of 0.4 to 5 % of the
# picture, tilted by up to 0.6 degrees, and take from three real mammograms only a film's white rim.
ROUNDS: Final = 3  # a dark strip, a bright line beside it, and what lies inside of that
TOLERANCE: Final = 3072  # display values off the line's median that are still its level: 4.7 %
DEPTH: Final = (5, 64)  # of a side, the most that a round takes from it
ABRUPT: Final = 2  # lines between the last of the frame and the first of the picture: mixed ones


class Inside(NamedTuple):
    """The rows [top, bottom) and columns [left, right) of blocks that hold the picture."""

    top: int
    bottom: int
    left: int
    right: int


def inside_frame(means: NDArray[np.int64]) -> Inside:
    """What lies inside of all frame lines on an image (R, C) of block means.

    Each round takes from each side at most 5/64 of that direction, and at most three are needed.
    """
    top, bottom, left, right = 0, means.shape[0], 0, means.shape[1]
    for _ in range(ROUNDS):
        part = means[top:bottom, left:right]
        cuts = [frame_lines(lines) for lines in (part, part[::-1], part.T, part.T[::-1])]
        if not any(cuts):
            break
        top, bottom = top + cuts[0], bottom - cuts[1]
        left, right = left + cuts[2], right - cuts[3]
    return Inside(top, bottom, left, right)


def frame_lines(lines: NDArray[np.int64]) -> int:
    """How many of the first `lines` (n, length) belong to a frame.

    Four fifths of each have the level of the first line's median (the lower of two), and within
    two more comes one of which at most three fifths have it. The two in between go as well.
    """
    count, length = lines.shape
    deepest = count * DEPTH[0] // DEPTH[1]
    near = lines[: deepest + 1 + ABRUPT]
    level = np.sort(lines[0])[(length - 1) // 2]
    alike = 5 * (np.abs(near - level) <= TOLERANCE).sum(axis=1)
    full, left_over = alike >= 4 * length, alike > 3 * length
    depth = len(near) if full.all() else int(full.argmin())
    if not 0 < depth <= deepest:
        return 0
    mixed = left_over[depth : depth + 1 + ABRUPT]
    return 0 if mixed.all() else depth + int(mixed.argmin())
