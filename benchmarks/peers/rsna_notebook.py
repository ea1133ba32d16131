"""The way of a public RSNA notebook (N. Gavranovic's demo), from DICOM to a small image of 8 bits.

pydicom -> window of the header -> 8 bits -> largest contour above 5 -> crop -> breast to the left
-> 512 x 512, stretched. The notebook converts in one process; here in one a core.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.pixels.processing import apply_windowing

from benchmarks.job import Job
from benchmarks.peers.contour import largest_contour
from benchmarks.peers.processes import open_processes
from benchmarks.peers.pydicom_values import read_values

LIBRARIES: Final = ("cv2",)
OUTPUT: Final = "an array of 512 x 512 at 8 bits; nothing is written"
SIZE: Final = (512, 512)
THRESHOLD: Final = 5  # of 255


def open_pass(job: Job) -> AbstractContextManager[Callable[[], None]]:
    """A pass over the job's files; its recipe is not used."""
    return open_processes(job, convert)


def convert(path: str, _target: Path) -> NDArray[np.uint8]:
    """The image (512, 512) of one DICOM file."""
    import cv2  # noqa: PLC0415 - comes with the bench extra

    values, dataset = read_values(path)
    display = apply_windowing(values, dataset)
    image = to_uint8(display, inverse=dataset.PhotometricInterpretation == "MONOCHROME1")
    resized: NDArray[np.uint8] = cv2.resize(face_left(crop(image)), SIZE)
    return resized


def to_uint8(display: NDArray[Any], *, inverse: bool) -> NDArray[np.uint8]:
    """Each image from 0 to 255, turned round where white is the least value."""
    raised = display.max() - display if inverse else display - display.min()
    image: NDArray[np.uint8] = (raised / raised.max() * 255).astype(np.uint8)
    return image


def crop(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The box of the largest contour above THRESHOLD."""
    box = largest_contour(image, THRESHOLD)
    return image[box.top : box.bottom, box.left : box.right]


def face_left(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image, mirrored where its right half is the brighter one."""
    half = image.shape[1] // 2
    return image[:, ::-1] if image[:, half:].sum() > image[:, :half].sum() else image
