"""Multi-frame DICOM files of a stack of frames, with each kind of offset table and fragments."""

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from dali_pipelines.phantom.encode import NATIVE, SYNTAXES, encode_frame
from tests.dicom_file import DicomFile

SECONDARY = "1.2.840.10008.5.1.4.1.1.7.3"  # multi-frame grayscale word Secondary Capture
TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"


def stack(count: int = 3, precision: int = 12, shape: tuple[int, int] = (9, 7)) -> np.ndarray:
    """Frames (count, height, width) uint16 of noise, no two alike."""
    generator = np.random.default_rng(count)
    return generator.integers(0, 1 << precision, (count, *shape)).astype(np.uint16)


def pieces(data: bytes, count: int) -> list[bytes]:
    """The data as `count` fragments of even length, the last one padded."""
    data += b"\0" * (len(data) % 2)
    step = -(-len(data) // count // 2) * 2
    return [data[at : at + step] for at in range(0, len(data), step)]


def basic_table(frames: Sequence[Sequence[bytes]]) -> bytes:
    """Where each frame's first item begins, counted from the first item. PS3.5 A.4."""
    sizes = [sum(8 + len(part) + len(part) % 2 for part in parts) for parts in frames]
    return struct.pack(f"<{len(sizes)}I", *(sum(sizes[:k]) for k in range(len(sizes))))


def extended_table(frames: Sequence[Sequence[bytes]]) -> dict[str, bytes]:
    """The same with 64 bits, and the length of each frame. PS3.3 C.7.6.3.1.8."""
    offsets = struct.unpack(f"<{len(frames)}I", basic_table(frames))
    lengths = [sum(map(len, parts)) for parts in frames]
    return {
        "ExtendedOffsetTable": struct.pack(f"<{len(frames)}Q", *offsets),
        "ExtendedOffsetTableLengths": struct.pack(f"<{len(frames)}Q", *lengths),
    }


def dicom_of(
    values: np.ndarray, syntax: str, precision: int = 12, fragments: int = 1, **tags: Any
) -> DicomFile:
    """A file of the frames (n, H, W), in `fragments` each, with an empty offset table."""
    count, height, width = values.shape
    allocated = 8 if precision <= 8 else 16
    file = DicomFile(
        **{
            "SOPClassUID": SECONDARY,
            "NumberOfFrames": count,
            "Rows": height,
            "Columns": width,
            "BitsAllocated": allocated,
            "BitsStored": precision,
            "HighBit": precision - 1,
            **tags,
        }
    )
    file.syntax = SYNTAXES[syntax]
    file.implicit = syntax == "implicit"
    coded = [encode_frame(frame, precision, syntax) for frame in values]
    if syntax in NATIVE:
        data = b"".join(coded)
        file.pixels = data + b"\0" * (len(data) % 2)
    else:
        file.pixels = [part for data in coded for part in pieces(data, fragments)]
    return file


def with_table(file: DicomFile, kind: str, fragments: int = 1) -> DicomFile:
    """The file with a "basic" or "extended" offset table in place of its "empty" one."""
    assert not isinstance(file.pixels, bytes)
    assert file.pixels is not None
    parts = list(file.pixels)
    frames = [parts[at : at + fragments] for at in range(0, len(parts), fragments)]
    if kind == "basic":
        file.table = basic_table(frames)
    if kind == "extended":
        file.tags |= extended_table(frames)
    return file
