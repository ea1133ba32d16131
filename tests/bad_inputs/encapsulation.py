"""Damage in what holds the codestream together: items, offset tables, RLE segments."""

import struct
from collections.abc import Callable

from dali_pipelines.verdicts import Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import spoiled
from tests.dicom_file import DicomFile


def _rle(change: Callable[[bytes], bytes]) -> Build:
    def spoil(file: DicomFile) -> None:
        file.pixels = [change(file.pixels[0])]

    return spoiled(spoil, "rle")


def _rle_segments(data: bytes) -> bytes:
    return struct.pack("<I", 3) + data[4:]


def _rle_offsets(data: bytes) -> bytes:
    return data[:8] + struct.pack("<I", 16) + data[12:]


def _raw_item(head: bytes) -> Build:
    """A file whose fragment has another item head."""

    def spoil(file: DicomFile) -> bytes:
        data = file.pixels[0] + b"\0" * (len(file.pixels[0]) % 2)
        own = struct.pack("<HHI", 0xFFFE, 0xE000, len(data))
        return file.encode().replace(own + data, head + data, 1)

    return spoiled(spoil, "j2k")


def _offset_table(table: bytes) -> Build:
    def spoil(file: DicomFile) -> None:
        file.table = table

    return spoiled(spoil, "j2k")


def _pixels(pixels: list[bytes]) -> Build:
    def spoil(file: DicomFile) -> None:
        file.pixels = pixels

    return spoiled(spoil, "j2k")


CASES = [
    Case("rle_three_segments", _rle(_rle_segments), Reason.CORRUPT, "3 segments", 27),
    Case("rle_offsets", _rle(_rle_offsets), Reason.CORRUPT, "not in order", 27),
    Case("noise_for_j2k", _pixels([bytes(200)]), Reason.CORRUPT, "do not begin like the j2k", 13),
    Case("wrong_offset_table", _offset_table(struct.pack("<2I", 7, 99)), (), row=0),
    Case("no_fragment", _pixels([]), Reason.NO_PIXELS, "has no fragment", 6),
    Case("empty_fragment", _pixels([b""]), Reason.NO_PIXELS, "has no fragment", 6),
    Case(
        "fragment_without_length",
        _raw_item(struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)),
        Reason.CORRUPT,
        "states no length",
        16,
    ),
    Case(
        "fragment_of_4_gib",
        _raw_item(struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFF0)),
        Reason.TRUNCATED,
        "has 4294967280 bytes",
        16,
    ),
    Case(
        "no_item",
        _raw_item(struct.pack("<HHI", 0x0008, 0x0018, 4)),
        Reason.CORRUPT,
        "a pixel data fragment was expected",
        13,
    ),
]
