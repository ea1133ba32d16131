"""What a script of a published preparation gives."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]


class Prepared(NamedTuple):
    """`box` is (top, bottom, left, right), half-open, in px of the file, before any mirroring.

    `mirror`: the picture was flipped left to right. `image` (C, H, W) float32 is what the network
    sees.
    """

    box: Box
    mirror: bool
    image: NDArray[np.float32]
