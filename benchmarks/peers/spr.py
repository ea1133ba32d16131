"""The way of the winner of Kaggle's SPR screening competition, from DICOM to PNG of 16 bits.

pydicom -> min-max to 16 bits -> PNG -> largest contour above 5 %, all else black -> crop -> pad to
1:2 -> 2048 x 1024 -> PNG. One process a core. Written after what its `data_preprocesse.py` does;
the second half takes the image from memory here, which is less work than to read the first PNG.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import Job
from benchmarks.peers.contour import Contour, largest_contour
from benchmarks.peers.processes import open_processes
from benchmarks.peers.pydicom_values import invert_if_inverse, read_values

LIBRARIES: Final = ("cv2",)
OUTPUT: Final = "two PNG files of 16 bits: the whole image, and the crop at 2048 x 1024"
SIZE: Final = (2048, 1024)  # (H, W) px
SHARE: Final = 0.05  # of the greatest value: what is above it may be breast


def open_pass(job: Job) -> AbstractContextManager[Callable[[], None]]:
    """A pass over the job's files; its recipe is not used."""
    return open_processes(job, convert)


def convert(path: str, target: Path) -> None:
    """Write both PNG files of one DICOM file."""
    import cv2  # noqa: PLC0415 - comes with the bench extra

    values, dataset = read_values(path)
    image = to_uint16(invert_if_inverse(values, dataset))
    cv2.imwrite(f"{target}_raw.png", image)
    padded = pad(crop(image, find_breast(image)))
    cv2.imwrite(f"{target}.png", cv2.resize(padded, SIZE[::-1], interpolation=cv2.INTER_LINEAR))


def to_uint16(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Each image from its least to its greatest value, cut to integers of 16 bits."""
    low, high = values.min(), values.max()
    image: NDArray[np.uint16] = ((values - low) / (high - low) * 65535).astype(np.uint16)
    return image


def find_breast(image: NDArray[np.uint16]) -> Contour:
    """The largest contour of what is brighter than 5 % of the maximum, at 8 bits."""
    small = (image / image.max() * 255).astype(np.uint8)
    return largest_contour(small, int(SHARE * small.max()), outer=False)


def crop(image: NDArray[np.uint16], breast: Contour) -> NDArray[np.uint16]:
    """The box of the contour, black outside of the contour."""
    import cv2  # noqa: PLC0415 - comes with the bench extra

    mask = np.zeros(image.shape, np.uint8)
    cv2.drawContours(mask, [breast.points], -1, 1, cv2.FILLED)
    masked: NDArray[np.uint16] = np.where(mask, image, 0).astype(np.uint16)
    return masked[breast.top : breast.bottom, breast.left : breast.right]


def pad(image: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The image in the middle of a canvas twice as high as wide, filled with its least value."""
    height, width = image.shape
    shape = (height, height // 2) if height > 2 * width else (2 * width, width)
    canvas = np.full(shape, image.min(), np.uint16)
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    canvas[top : top + height, left : left + width] = image
    return canvas
