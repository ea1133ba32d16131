"""Files that went wrong once: mutants of tests/fuzz and cuts of tests/evidence, made small."""

import imagecodecs

from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import sound_values, spoiled
from tests.dicom_file import DicomFile
from tests.fuzz.tiles import join, split, untold

_VIEW = {"CodeValue": "399162004", "CodingSchemeDesignator": "SCT"}


def _sign_of_another_type(file: DicomFile) -> None:
    file.tags |= {"ViewCodeSequence": [_VIEW], "PixelRepresentation": b"\0\0"}
    file.vrs["PixelRepresentation"] = "FD"  # 8 bytes, of which there are 2


def _first_tile_part(file: DicomFile) -> None:
    """The lowest resolution of the image, which does not say that more should follow."""
    stream = imagecodecs.htj2k_encode(sound_values(), reversible=True, tilepart=1)
    header, parts = split(bytes(stream))
    file.pixels = [join(header, untold(parts[:1]), open_end=True)]


def _without_padding(file: DicomFile) -> bytes:
    file.pixels = [_odd(file.pixels[0])]
    return file.encode()[:-9]  # the delimiter and the byte before it


def _odd(stream: bytes) -> bytes:
    """A JPEG of odd length, by a comment of one byte if need be."""
    return stream if len(stream) % 2 else stream[:2] + b"\xff\xfe\0\3c" + stream[2:]


def _case(name: str, build: Build, expected: Reason | tuple[Flag, ...], **rest: object) -> Case:
    return Case(f"found: {name}", build, expected, **rest)


CASES = (
    _case(
        "a sign in 2 of 8 bytes, and a sequence after it",
        spoiled(_sign_of_another_type),
        Reason.CORRUPT,
        sentence="cannot be parsed",
    ),
    _case(
        "the first tile-part of an open-ended HTJ2K",
        spoiled(_first_tile_part, "htj2k"),
        Reason.TRUNCATED,
        sentence="before its last packet",
        decoded=True,
    ),
    _case(
        "a byte of padding cut off with the delimiter",
        spoiled(_without_padding, "jpeg_sv1"),
        (Flag.NO_DELIMITER, Flag.LENGTH_BEYOND_EOF),
    ),
)
