"""Files that are none, that end too early, or that hold no data set."""

import random
import struct

from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import PIXEL_DATA, before_pixels, deflated, spoiled, write_bytes
from tests.dicom_file import DicomFile

_PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452")
_GZIP = bytes.fromhex("1f8b0800000000000003")
_TABLE = {"LUTDescriptor": (256, 0, 12), "LUTData": tuple(range(256))}
_DEEP_ITEM = b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
_BOMB_BYTES = 8 << 20  # unfolded; 8 kB in the file


def _cut(at: int) -> Build:
    return spoiled(lambda file: file.encode()[:at])


def _cut_from_pixels(before: int) -> Build:
    return spoiled(lambda file: file.encode()[: file.encode().index(PIXEL_DATA) - before])


def _cut_codestream(file: DicomFile) -> bytes:
    whole = file.encode()
    return whole[: len(whole) - len(file.pixels[0]) // 2]


def _longer_pixels(file: DicomFile) -> None:
    file.pixels = bytes(file.pixels) + bytes(100)


def _longer_length(file: DicomFile) -> bytes:
    whole = file.encode()
    at = whole.index(PIXEL_DATA) + 8
    return whole[:at] + struct.pack("<I", len(file.pixels) + 4096) + whole[at + 4 :]


def _without_delimiter(file: DicomFile) -> None:
    file.delimiter = False


def _bomb(file: DicomFile) -> bytes:
    file.pixels = bytes(_BOMB_BYTES)
    return deflated(file)


def _write(data: bytes) -> Build:
    return lambda folder: write_bytes(folder, data)


_META = "inside its file meta information"
_NO_DICM = "the letters DICM do not stand at byte 128"
_FRAGMENT = "the pixel data fragment at byte"

CASES = [
    Case("zero_bytes", _write(b""), Reason.EMPTY, "the file has no bytes", 1),
    # Without its four letters a file cannot be told from any other: skipped, not failed.
    Case("cut_in_preamble", _cut(100), Reason.NOT_DICOM, _NO_DICM, 2),
    Case("cut_inside_dicm", _cut(131), Reason.NOT_DICOM, _NO_DICM, 2),
    Case("cut_after_dicm", _cut(132), Reason.TRUNCATED, _META, 3),
    Case("cut_in_group_length", _cut(140), Reason.TRUNCATED, _META, 3),
    Case("cut_in_meta", _cut(180), Reason.TRUNCATED, _META, 3),
    Case("cut_before_pixels", _cut_from_pixels(0), Reason.NO_PIXELS, "has no pixel data", 4),
    Case(
        "cut_in_sequence",
        spoiled(lambda f: f.encode()[: f.encode().index(PIXEL_DATA) - 90], VOILUTSequence=[_TABLE]),
        Reason.TRUNCATED,
        "fetch",
        4,
    ),
    Case("cut_in_element_head", _cut_from_pixels(3), Reason.TRUNCATED, "before its pixel data", 5),
    *(
        Case(f"cut_{name}", spoiled(_cut_codestream, name), Reason.TRUNCATED, _FRAGMENT, 6)
        for name in ("rle", "j2k", "htj2k", "jpegls", "jpeg_sv1", "jpeg_lossless")
    ),
    Case("no_delimiter", spoiled(_without_delimiter, "j2k"), (Flag.NO_DELIMITER,), row=7),
    Case(
        "native_pixels_short",
        spoiled(lambda file: file.encode()[:-2]),
        Reason.TRUNCATED,
        "the pixel data have 1534 bytes, 1536 were expected",
        8,
    ),
    Case("native_pixels_long", spoiled(_longer_pixels), (Flag.EXCESS_BYTES,), row=9),
    Case("length_beyond_eof", spoiled(_longer_length), (Flag.LENGTH_BEYOND_EOF,), row=10),
    Case("text", _write(b"not an image\n"), Reason.NOT_DICOM, _NO_DICM, 11),
    Case("png", _write(_PNG * 20), Reason.NOT_DICOM, _NO_DICM, 11),
    Case("gzip", _write(_GZIP * 20), Reason.NOT_DICOM, _NO_DICM, 11),
    # Nothing is guessed: there is no way to ask for files without a preamble, as no archive that
    # was looked at has any.
    Case("no_preamble", spoiled(lambda f: f.encode()[132:]), Reason.NOT_DICOM, _NO_DICM, 12),
    Case(
        "noise_after_dicm",
        _write(bytes(128) + b"DICM" + random.Random(13).randbytes(900)),
        Reason.CORRUPT,
        "no DICOM element follows the letters DICM",
        13,
    ),
    Case(
        "sequences_nested_1000_deep",
        before_pixels(_DEEP_ITEM * 1000),
        Reason.CORRUPT,
        "sequences inside sequences without end",
        14,
    ),
    Case(
        "deflated_bomb",
        spoiled(_bomb),
        Reason.TOO_LARGE,
        "unfolds to more than 1048576 bytes",
        15,
        options={"max_inflated": 1 << 20},
    ),
    Case(
        "deflated_cut",
        spoiled(lambda file: deflated(file)[:-40]),
        Reason.TRUNCATED,
        "unfinished",
        15,
    ),
    Case(
        "deflated_noise",
        spoiled(lambda file: deflated(file)[:400] + random.Random(1).randbytes(800)),
        Reason.CORRUPT,
        "not a deflate stream",
        15,
    ),
    Case(
        "value_of_4_gib",
        before_pixels(struct.pack("<HH2sHI", 0x0069, 0x1000, b"UN", 0, 0xFFFFFFF0)),
        Reason.TRUNCATED,
        "the file ends before its pixel data",
        16,
    ),
]
