"""The way of several RSNA 2023 teams, from DICOM to PNG of 8 bits, with dicomsdl for its speed.

dicomsdl -> min-max to 8 bits -> largest contour above 5 -> crop -> the recipe's size, by areas ->
PNG. One process a core. dicomsdl decodes with libraries of its own.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import Job
from benchmarks.peers.processes import open_processes
from benchmarks.peers.rsna_notebook import crop, to_uint8

LIBRARIES: Final = ("cv2", "dicomsdl")
OUTPUT: Final = "a PNG file of 8 bits at the recipe's size"


def open_pass(job: Job) -> AbstractContextManager[Callable[[], None]]:
    """A pass over the job's files."""
    return open_processes(job, partial(convert, size=job.recipe.size))


def convert(path: str, target: Path, size: tuple[int, int]) -> None:
    """Write the PNG file (H, W) of one DICOM file."""
    import cv2  # noqa: PLC0415 - comes with the bench extra

    image = crop(read_uint8(path))
    resized = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    cv2.imwrite(f"{target}.png", resized)


def read_uint8(path: str) -> NDArray[np.uint8]:
    """The whole image at 8 bits."""
    import dicomsdl  # noqa: PLC0415 - comes with the bench extra

    dataset = dicomsdl.open(path)
    values = dataset.pixelData(storedvalue=True)
    return to_uint8(values, inverse=dataset.PhotometricInterpretation == "MONOCHROME1")
