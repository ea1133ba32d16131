"""What the recipes are tried on: phantoms of three makers, and the real mammograms."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pydicom
from pydicom import Dataset

from dali_pipelines.phantom.patients import ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import draw_picture
from dali_pipelines.phantom.write import write_dicom

# Large enough that every recipe which averages over areas shrinks what it cuts out of them.
SETTINGS: Final = PhantomSettings(patients=6, height=2560, width=2048, syntax="raw", seed=5)
PHANTOMS: Final = {  # name -> patient, image of that patient
    "phantom-a-l-cc": (0, 0),  # 12 bits, no function, padded
    "phantom-b-r-mlo": (1, 3),  # 14 bits, MONOCHROME1, SIGMOID, three windows, padded
    "phantom-c-r-cc": (2, 2),  # 16 bits, padded, and its window left out
    "phantom-d-l-mlo": (3, 1),  # 10 bits, LINEAR, two windows, air of its own gray
}
WITHOUT_WINDOW: Final = "phantom-c-r-cc"
REAL: Final = ("GH133", "MG1_J2KI", "OutOfBoundsOverlay")
LOSSY: Final = ("MG1_J2KI",)  # JPEG 2000 that decoders may round apart


def write_phantom(folder: Path, name: str) -> Path:
    """The file of one of PHANTOMS, written into `folder`."""
    number, index = PHANTOMS[name]
    picture = draw_picture(SETTINGS, ImagePlan(draw_patient(SETTINGS, number), index))
    path = folder / f"{name}.dcm"
    header = replace(picture.header, windows=()) if name == WITHOUT_WINDOW else picture.header
    write_dicom(path, picture.values, header)
    return path


def read(path: Path) -> tuple[np.ndarray, Dataset]:
    """Stored values (H, W) and header of a file, by pydicom and its decoders."""
    header = pydicom.dcmread(path)
    return header.pixel_array, header
