"""The images of the GPU report: a few phantoms of full size, made once and in every syntax."""

import itertools
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.images import find_records
from dali_pipelines.cores import core_count
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.patients import IMAGES, ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import draw_picture
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Encoded
from dali_pipelines.storage.archive import Source

COMPRESSED: Final = ("j2k", "htj2k", "jpeg_sv1")  # what the GPU decodes
SYNTAXES: Final = (*COMPRESSED, "raw")
PRECISION: Final = 12  # of most mammograms
Note = Callable[[str, object], None]  # note(name, result): kept even if the section fails after it


@dataclass(frozen=True, slots=True)
class Inputs:
    """Where the images lie, how large (H, W) px and how many different ones there are.

    `threads`: cores of this machine. `quick`: half the images a pass and fewer repeats. `recipe`:
    the name of the one that the loader prepares images by.
    """

    folder: Path
    size: tuple[int, int] = (4096, 3328)  # 13.6 MP, the largest of the common detectors
    different: int = 8
    threads: int = 16
    quick: bool = False
    recipe: str = "default-1536"

    @property
    def repeats(self) -> int:
        """Timed passes of each figure."""
        return 2 if self.quick else 3

    def load_recipe(self) -> Recipe:
        """What the loader prepares images by."""
        return load_recipe(self.recipe)

    def records(self, syntax: str, count: int) -> tuple[ImageRecord, ...]:
        """`count` images in one syntax, the different ones again and again."""
        found = find_records([self.folder / syntax], self.different)
        return tuple(itertools.islice(itertools.cycle(found), count))


def make_images(inputs: Inputs) -> None:
    """Write the images, a process a core: one file for each of them in each syntax."""
    jobs = list(itertools.product(range(inputs.different), SYNTAXES))
    for syntax in SYNTAXES:
        (inputs.folder / syntax).mkdir(parents=True, exist_ok=True)
    workers = min(core_count(), len(jobs))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        list(pool.map(_write_image, itertools.repeat(inputs), *zip(*jobs, strict=True)))


def coded_image(values: NDArray[np.uint16], header: HeaderSpec, path: Path) -> Encoded:
    """The codestream of these values as the reader gives it, by way of a file at `path`."""
    write_dicom(path, values, header)
    return read_encoded(read_image(Source(str(path)), bytes(32), ReadOptions()))


def _write_image(inputs: Inputs, number: int, syntax: str) -> None:
    settings = PhantomSettings(inputs.different, 0.4, *inputs.size, "raw")
    patient = draw_patient(settings, number // len(IMAGES))
    patient = replace(patient, vendor=patient.vendor.at(PRECISION))
    picture = draw_picture(settings, ImagePlan(patient, number % len(IMAGES)))
    path = inputs.folder / syntax / f"{number:03d}.dcm"
    write_dicom(path, picture.values, replace(picture.header, syntax=syntax))
