"""Sound files to spoil: small images in any transfer syntax, named after the folder of a case."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dali_pipelines.phantom.encode import NATIVE, SYNTAXES, encode_frame
from dali_pipelines.phantom.header import make_uid
from tests.bad_inputs.case import Build
from tests.dicom_file import DicomFile

ROWS, COLUMNS, BITS = 32, 24, 12
PIXEL_DATA = b"\xe0\x7f\x10\x00"  # the tag (7FE0,0010), little endian


def sound_values(seed: int = 0) -> np.ndarray:
    """(32, 24) uint16 of 12 bits: noise in the left half, a dark background."""
    values = np.zeros((ROWS, COLUMNS), np.uint16)
    noise = np.random.default_rng(seed).integers(512, 1 << BITS, (ROWS, COLUMNS // 2))
    values[:, : COLUMNS // 2] = noise
    return values


def sound_file(folder: Path, syntax: str = "raw", **tags: Any) -> DicomFile:
    """A sound mammogram that the folder's name alone decides; `tags` overrule its own."""
    uid = make_uid(folder.name)
    own = {"SOPInstanceUID": uid, "StudyInstanceUID": make_uid(f"study of {folder.name}")}
    file = DicomFile(**{**own, "Rows": ROWS, "Columns": COLUMNS, **tags})
    file.syntax, file.implicit = SYNTAXES[syntax], syntax == "implicit"
    data = encode_frame(sound_values(), BITS, syntax)
    file.pixels = data if syntax in NATIVE else [data]
    return file


def write_bytes(folder: Path, data: bytes, name: str = "bad.dcm") -> Path:
    """The path of a new file of these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path


def spoiled(
    spoil: Callable[[DicomFile], DicomFile | bytes | None], syntax: str = "raw", **tags: Any
) -> Build:
    """A build of one file: a sound one that `spoil` changed, or the bytes that it made of it."""

    def build(folder: Path) -> Path:
        file = sound_file(folder, syntax, **tags)
        made = spoil(file)
        return write_bytes(folder, made if isinstance(made, bytes) else (made or file).encode())

    return build


def tagged(syntax: str = "raw", **tags: Any) -> Build:
    """A build of one file that is sound but for these tags; None takes one away."""
    return spoiled(lambda file: file, syntax, **tags)


def before_pixels(extra: bytes) -> Build:
    """A file with `extra` bytes in front of its pixel data."""

    def spoil(file: DicomFile) -> bytes:
        whole = file.encode()
        at = whole.index(PIXEL_DATA)
        return whole[:at] + extra + whole[at:]

    return spoiled(spoil)


def deflated(file: DicomFile, data_set: bytes | None = None) -> bytes:
    """The file with its data set, or another one, deflated as PS3.5 A.5 has it."""
    file.syntax = SYNTAXES["deflated"]
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(file.data_set() if data_set is None else data_set) + packer.flush()
    return bytes(128) + b"DICM" + file.meta() + packed
