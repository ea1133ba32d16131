"""One DICOM file to another of the same image in a given transfer syntax, decoded once.

So real images can be measured in syntaxes that they did not come in, and peers that cannot read
one syntax get the same values in another.
"""

import warnings
from pathlib import Path

import numpy as np
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from benchmarks.decode import read_stream
from dali_pipelines.cpu.decode import decode
from dali_pipelines.errors import DatasetError
from dali_pipelines.phantom.encode import NATIVE, SYNTAXES, encode_frame
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import RejectError


def transcode(record: ImageRecord, syntax: str, target: Path) -> None:
    """Write the record's image to `target` without loss, its header but for the coding unchanged.

    The file holds what the original's header says of the patient: keep it where only its owner can
    read it. DatasetError for an image inside an archive, of signed values, or that cannot be read.
    """
    if record.location.member or record.tags.signed or record.stream.signed:
        raise DatasetError(
            "an image inside an archive, or of signed values, cannot be written in another "
            "transfer syntax; measure it as it is stored"
        )
    try:
        pixels = decode(read_stream(record))
    except RejectError as error:
        raise DatasetError(f"an image cannot be decoded: {error}; measure on others") from error
    bits = record.grayscale.bits
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pydicom, about values of real headers
        dataset = dcmread(record.location.path)
        _set_coding(dataset, syntax, bits)
        values = np.asarray(pixels.values, np.uint16) >> np.uint16(pixels.shift)
        _set_frame(dataset, encode_frame(values, bits, syntax), syntax)
        dcmwrite(target, dataset)


def _set_coding(dataset: Dataset, syntax: str, bits: int) -> None:
    """Say how the values are coded; Bits Stored stays, also where the codestream has more bits."""
    dataset.file_meta.TransferSyntaxUID = UID(SYNTAXES[syntax])
    dataset.BitsAllocated = 8 if bits <= 8 else 16
    dataset.HighBit = dataset.BitsStored - 1


def _set_frame(dataset: Dataset, frame: bytes, syntax: str) -> None:
    """PS3.5 8.2 and annex A: native samples as they are, a codestream encapsulated."""
    native = syntax in NATIVE
    dataset.PixelData = frame + b"\0" * (len(frame) % 2) if native else encapsulate([frame])
    dataset["PixelData"].VR = "OW" if native and dataset.BitsAllocated > 8 else "OB"
    dataset["PixelData"].is_undefined_length = not native
