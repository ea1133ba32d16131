"""Codestreams that contradict the header, or are not whole."""

import struct
from collections.abc import Callable

import imagecodecs
import numpy as np

from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import BITS, COLUMNS, ROWS, sound_values, spoiled, tagged
from tests.dicom_file import DicomFile

_SIZ = b"\xff\x51"  # Xsiz 6 bytes after it, Ssiz 40; T.800 A.5.1
_COD = b"\xff\x52"  # the number of levels 9 bytes after it; T.800 A.6.1
_COMPRESSED = ("j2k", "htj2k", "jpegls", "jpeg_sv1")


def _stream(syntax: str, change: Callable[[bytes], bytes | list[bytes]], **tags: object) -> Build:
    """A file whose codestream, or whose fragments, `change` made."""

    def spoil(file: DicomFile) -> None:
        made = change(file.pixels[0])
        file.pixels = made if isinstance(made, list) else [made]

    return spoiled(spoil, syntax, **tags)


def _other(syntax: str, encode: Callable[[], bytes], **tags: object) -> Build:
    return _stream(syntax, lambda _: encode(), **tags)


def _siz(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """A change of the bytes at `offset` from the SIZ marker."""

    def change(data: bytes) -> bytes:
        at = data.index(_SIZ) + offset
        return data[:at] + value + data[at + len(value) :]

    return change


def _sof(rows: int, columns: int) -> Build:
    """A lossless JPEG whose SOF states another size; T.81 B.2.2."""
    own = struct.pack(">BHH", BITS, ROWS, COLUMNS)
    other = struct.pack(">BHH", BITS, rows, columns)
    return _stream("jpeg_sv1", lambda data: data.replace(own, other, 1))


def _levels_33(data: bytes) -> bytes:
    """One more wavelet level than COD can state; T.800 table A.15."""
    at = data.index(_COD) + 9
    return data[:at] + b"\x21" + data[at + 1 :]


def _j2k(values: np.ndarray, **options: object) -> bytes:
    settings = {"level": 0, "codecformat": "j2k", "reversible": True, "bitspersample": 12}
    return bytes(imagecodecs.jpeg2k_encode(values, **{**settings, **options}))


def _dct() -> bytes:
    return bytes(imagecodecs.jpeg8_encode((sound_values() >> 4).astype(np.uint8), level=95))


def _boxes(last: bytes) -> Callable[[bytes], bytes]:
    """A JP2 file whose codestream is behind a box that cannot be walked over."""
    signature = bytes.fromhex("0000000C6A5020200D0A870A")
    return lambda data: signature + last + struct.pack(">I4s", 8 + len(data), b"jp2c") + data


def _swap_marker(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data.replace(old, new, 1)


def _color() -> bytes:
    return _j2k(np.stack([sound_values()] * 3, -1))


_EIGHT = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
_ROWS = f"{ROWS} rows, {COLUMNS} columns and"

CASES = [
    *(
        Case(f"{name}_other_rows", tagged(name, Rows=40), Reason.GEOMETRY, f"has {_ROWS} 1", 27)
        for name in _COMPRESSED
    ),
    Case("rle_other_rows", tagged("rle", Rows=4000), Reason.TRUNCATED, "the RLE segment", 27),
    *(
        Case(
            f"{name}_swapped_sides",
            tagged(name, Rows=COLUMNS, Columns=ROWS),
            Reason.GEOMETRY,
            f"the codestream has {_ROWS} 1 components, the header says {COLUMNS}, {ROWS} and 1",
            28,
        )
        for name in ("j2k", "jpegls")
    ),
    Case(
        "siz_of_a_bomb",
        _stream("j2k", _siz(6, struct.pack(">II", 1 << 31, 1 << 31))),
        Reason.CORRUPT,
        "SIZ makes 6004799547899904 tiles, wanted 65535 at most",
        30,
    ),
    Case(
        "siz_of_a_bomb_in_one_tile",
        _stream(
            "j2k",
            lambda d: _siz(22, struct.pack(">II", 1 << 31, 1 << 31))(
                _siz(6, struct.pack(">II", 1 << 31, 1 << 31))(d)
            ),
        ),
        Reason.GEOMETRY,
        "the codestream has 2147483648 rows",
        30,
    ),
    Case(
        "siz_0_components", _stream("j2k", _siz(38, bytes(2))), Reason.CORRUPT, "0 components", 30
    ),
    Case("siz_tile_0", _stream("j2k", _siz(22, bytes(8))), Reason.CORRUPT, "no image area", 30),
    Case("siz_subsampled", _stream("j2k", _siz(41, b"\2\2")), Reason.UNSUPPORTED, "1 x 1", 30),
    Case("sof_0_rows", _sof(0, COLUMNS), Reason.CORRUPT, f"SOF says 0 x {COLUMNS}", 29),
    Case("sof_0_columns", _sof(ROWS, 0), Reason.CORRUPT, f"SOF says {ROWS} x 0", 29),
    Case("cod_33_levels", _stream("j2k", _levels_33), Reason.CORRUPT, "refused", 27, decoded=True),
    Case(
        "codestream_above_limit",
        _other(
            "j2k", lambda: _j2k(np.tile(sound_values(), (2, 3))), Rows=2 * ROWS, Columns=3 * COLUMNS
        ),
        Reason.TOO_LARGE,
        "more than the limit of 2000",
        30,
        options={"max_inflated": 2000},
    ),
    Case(
        "one_pixel",
        _other("j2k", lambda: _j2k(sound_values()[:1, :1])),
        Reason.GEOMETRY,
        "the codestream has 1 rows, 1 columns",
        31,
    ),
    Case("three_components", _other("j2k", _color), Reason.GEOMETRY, "and 3 components", 32),
    Case(
        "jpeg_three_components",
        _other(
            "jpeg_sv1", lambda: bytes(imagecodecs.jpeg8_encode(np.zeros((ROWS, COLUMNS, 3), "u1")))
        ),
        Reason.GEOMETRY,
        "and 3 components",
        32,
    ),
    Case(
        "mpeg", _other("j2k", lambda: b"\0\0\1\xb3" + bytes(96)), Reason.CORRUPT, "begin like", 36
    ),
    Case("signed_codestream", _stream("j2k", _siz(40, b"\x8b")), (Flag.SIGN_MISMATCH,), row=40),
    Case(
        "no_eoc",
        _stream("j2k", lambda data: data.rstrip(b"\0").removesuffix(b"\xff\xd9")),
        Reason.TRUNCATED,
        "codestream",
        42,
    ),
    Case(
        "no_eoi",
        _stream("jpegls", lambda data: data.rstrip(b"\0").removesuffix(b"\xff\xd9")),
        Reason.TRUNCATED,
        "codestream",
        42,
    ),
    Case(
        "trailing_bytes",
        _stream("j2k", lambda data: data + b"trailer!"),
        (Flag.TRAILING_BYTES,),
        row=42,
    ),
    Case(
        "last_tile_missing",
        _stream("j2k", _siz(22, struct.pack(">I", COLUMNS // 2))),
        Reason.TRUNCATED,
        "1 of 2 tiles",
        43,
    ),
    Case(
        "box_of_length_0",
        _stream("j2k", _boxes(struct.pack(">I4s", 0, b"free"))),
        Reason.CORRUPT,
        "none of the JP2 boxes",
        44,
    ),
    Case(
        "box_of_length_4",
        _stream("j2k", _boxes(struct.pack(">I4s", 4, b"free"))),
        Reason.CORRUPT,
        "has length 4, wanted 8 or more",
        44,
    ),
    Case("boxed", tagged("j2k_boxed"), (Flag.BOXED,), row=44),
    # No structure of a DCT JPEG shows whether all is there: accepted, and flagged as unproven.
    Case(
        "dct",
        _other("jpeg_sv1", _dct, **_EIGHT),
        (Flag.SYNTAX_MISMATCH, Flag.LOSSY_IN_LOSSLESS, Flag.UNPROVEN),
        row=36,
    ),
    Case(
        "progressive_jpeg",
        _stream("jpeg_sv1", _swap_marker(b"\xff\xc3", b"\xff\xc2")),
        Reason.UNSUPPORTED,
        "codestream cannot be decoded here",
        36,
    ),
    Case(
        "lossy_in_lossless",
        _other("j2k", lambda: _j2k(sound_values(), level=60, reversible=False)),
        (Flag.LOSSY_IN_LOSSLESS,),
        row=36,
    ),
    Case(
        "samples_of_38_bits",
        _stream("j2k", _siz(40, b"\x25")),
        Reason.UNSUPPORTED,
        "samples have 38 bits, wanted 1 to 16",
        38,
    ),
    Case(
        "precision_above_stored",
        tagged("j2k", BitsStored=10, HighBit=9),
        (Flag.PRECISION_MISMATCH,),
        row=38,
    ),
]
