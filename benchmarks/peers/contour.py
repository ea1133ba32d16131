"""The breast as most published pipelines find it: the largest contour above a threshold."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Contour(NamedTuple):
    """Half-open rows and columns of its box, and its points as OpenCV gives them."""

    top: int
    bottom: int
    left: int
    right: int
    points: Any


def largest_contour(image: NDArray[np.uint8], threshold: int, *, outer: bool = True) -> Contour:
    """The contour of greatest area among px above `threshold`; ValueError where there is none.

    `outer` looks at outermost contours only, which gives the same one sooner.
    """
    import cv2  # noqa: PLC0415 - comes with the bench extra

    binary = (image > threshold).astype(np.uint8)
    mode = cv2.RETR_EXTERNAL if outer else cv2.RETR_TREE
    contours, _ = cv2.findContours(binary, mode, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        raise ValueError(f"no px of the image is above {threshold}")
    points = max(contours, key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(points)
    return Contour(top, top + height, left, left + width, points)
