"""Codestreams with a sound header and damaged contents: what a decoder finds, or the proof of it.

Each is put into a whole file: lengths are right, and the end mark stands where the bytes end.
"""

import random
from collections.abc import Callable

from dali_pipelines.verdicts import Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import spoiled
from tests.dicom_file import DicomFile

_NO_MARK = 0x7F  # bytes below cannot make a marker, which begins with FF
_RLE_NOTHING = b"\x80"  # the code that stands for no pixel, PS3.5 G.3.2


def _stream(syntax: str, change: Callable[[bytes], bytes]) -> Build:
    def spoil(file: DicomFile) -> None:
        file.pixels = [change(file.pixels[0].rstrip(b"\0"))]

    return spoiled(spoil, syntax)


def _cut_and_ended(data: bytes) -> bytes:
    """The first 70 % and the end mark."""
    return data[: len(data) * 7 // 10].rstrip(b"\xff") + data[-2:]


def _noise(data: bytes) -> bytes:
    """Another second half, but for the end mark."""
    dice, half = random.Random(3), len(data) // 2
    noise = bytes(dice.randrange(_NO_MARK) for _ in range(len(data) - half - 2))
    return data[:half] + noise + data[-2:]


def _no_pixels(data: bytes) -> bytes:
    return data[:-300] + 300 * _RLE_NOTHING


CASES = [
    *(
        Case(
            f"{name}_cut_and_ended",
            _stream(name, _cut_and_ended),
            Reason.TRUNCATED,
            "codestream needs",
            6,
        )
        for name in ("j2k", "htj2k")
    ),
    *(
        Case(
            f"{name}_{damage.__name__.strip('_')}",
            _stream(name, damage),
            Reason.TRUNCATED,
            "and 0 to 7 to spare",
            6,
            decoded=True,
        )
        for name in ("jpeg_sv1", "jpeg_lossless")
        for damage in (_cut_and_ended, _noise)
    ),
    *(
        Case(
            f"jpegls_{damage.__name__.strip('_')}",
            _stream("jpegls", damage),
            Reason.CORRUPT,
            "the jpegls decoder refused the codestream",
            6,
            decoded=True,
        )
        for damage in (_cut_and_ended, _noise)
    ),
    Case(
        "rle_segment_short",
        _stream("rle", _no_pixels),
        Reason.TRUNCATED,
        "values, 768 were expected",
        6,
        decoded=True,
    ),
    Case(
        "rle_noise",
        _stream("rle", _noise),
        Reason.CORRUPT,
        "the rle decoder refused the codestream",
        6,
        decoded=True,
    ),
    Case(
        "htj2k_noise",
        _stream("htj2k", _noise),
        Reason.CORRUPT,
        "the htj2k decoder refused the codestream",
        6,
        decoded=True,
    ),
]
