"""How the peers read DICOM: pydicom, with the fastest of its decoders that is installed."""

from importlib import metadata
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.pixels.decoders.base import get_decoder

# OpenJPEG of pylibjpeg takes 0.43 s for the J2K of 4664 x 3064 px for which GDCM takes 0.57 s.
FASTEST: Final = ("pylibjpeg", "gdcm")
_PACKAGES: Final = {"pylibjpeg": "pylibjpeg-openjpeg", "gdcm": "python-gdcm"}


def read_values(path: str) -> tuple[NDArray[Any], Dataset]:
    """The stored values (H, W) and the header."""
    dataset = dcmread(path, force=True)
    dataset.pixel_array_options(decoding_plugin=choose_plugin(dataset))
    return dataset.pixel_array, dataset


def choose_plugin(dataset: Dataset) -> str:
    """The name of pydicom's plugin for this file, "" where the choice is left to pydicom."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_encapsulated:
        return ""
    available = get_decoder(syntax).available_plugins
    return next((name for name in FASTEST if name in available), "")


def name_decoder(path: str) -> str:
    """What decodes this file, with its version, such as "python-gdcm 3.2.6"."""
    plugin = choose_plugin(dcmread(path, stop_before_pixels=True))
    package = _PACKAGES[plugin] if plugin else "pydicom"
    return f"{package} {metadata.version(package)}"


def invert_if_inverse(values: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """The values with white as the greatest: the greatest minus each, for MONOCHROME1."""
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        inverted: NDArray[Any] = np.max(values) - values
        return inverted
    return values
