"""Headers that contradict themselves or their pixels, and objects of other kinds."""

import struct

from dali_pipelines.phantom.encode import SYNTAXES
from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import (
    COLUMNS,
    PIXEL_DATA,
    ROWS,
    before_pixels,
    sound_values,
    spoiled,
    tagged,
)
from tests.dicom_file import DicomFile

_STORAGE = "1.2.840.10008.5.1.4.1.1."
_OWN = struct.pack("<HH", 0x0069, 0x1000)  # the tag of a private element
_ENDLESS = struct.pack("<2sHI", b"UN", 0, 0xFFFFFFFF)
_BOTH = "both must be 1-65535"


def _with_pixels(data: bytes, **tags: object) -> Build:
    def spoil(file: DicomFile) -> None:
        file.pixels = data

    return spoiled(spoil, **tags)


def _syntax(uid: str | None, really: str = "raw") -> Build:
    """A file in the syntax `really` that says it is in `uid`."""

    def spoil(file: DicomFile) -> None:
        file.syntax = uid

    return spoiled(spoil, really)


def _big_endian(file: DicomFile) -> None:
    file.big = True


def _long_meta(file: DicomFile) -> bytes:
    more = b"".join(struct.pack("<HH2sHH", 2, 0x200 + k, b"US", 2, k) for k in range(1000))
    return file.encode().replace(file.meta(), file.meta() + more, 1)


def _explicit_as_implicit(file: DicomFile) -> None:
    file.syntax = SYNTAXES["implicit"]


def _implicit_as_explicit(file: DicomFile) -> None:
    file.implicit = True


def _float_pixels(file: DicomFile) -> bytes:
    return file.encode().replace(PIXEL_DATA + b"OW", b"\xe0\x7f\x08\x00OF")


def _float_before_pixels(file: DicomFile) -> bytes:
    head = file.head(0x7FE00008, "OF", 16)
    return file.encode().replace(PIXEL_DATA, head + bytes(16) + PIXEL_DATA, 1)


def _pixels_twice(file: DicomFile) -> bytes:
    return file.encode() + file.pixel_element()


def _overlay_in_high_bits(file: DicomFile) -> bytes:
    """Bit 12 of the pixels holds an overlay plane, as was done until 2004 (PS3.5-2004 8.1.2)."""
    overlay = (sound_values() & 1) << 12
    file.pixels = (sound_values() | overlay).astype("<u2").tobytes()
    plane = file.element(0x60000100, "US", 16) + file.element(0x60000102, "US", 12)
    return file.encode().replace(PIXEL_DATA, plane + PIXEL_DATA, 1)


_RGB = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
_RGB |= {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}

CASES = [
    Case("rows_0", tagged(Rows=0), Reason.HEADER, _BOTH, 29),
    Case("columns_0", tagged(Columns=0), Reason.HEADER, _BOTH, 29),
    Case("rows_missing", tagged(Rows=None), Reason.HEADER, "no single number for Rows", 29),
    Case("rows_of_3_bytes", tagged(Rows=b"\x20\0\0"), Reason.HEADER, "number for Rows", 29),
    Case("rows_twice", tagged(Rows=(32, 32)), Reason.HEADER, "no single number for Rows", 29),
    Case(
        "rows_of_a_bomb",
        tagged(Rows=65535, Columns=65535),
        Reason.TOO_LARGE,
        "65535 x 65535 pixels, more than the limit",
        30,
    ),
    Case(
        "pixels_above_limit",
        tagged(Rows=64),
        Reason.TOO_LARGE,
        "64 x 24 pixels, more than the limit of 1000",
        30,
        options={"max_pixels": 1000},
    ),
    Case("rgb", _with_pixels(bytes(ROWS * COLUMNS * 3), **_RGB), Reason.COLOR, "in color", 33),
    Case("palette", tagged(PhotometricInterpretation="PALETTE COLOR"), Reason.COLOR, "color", 33),
    Case(
        "photometric_missing",
        tagged(PhotometricInterpretation=None),
        Reason.HEADER,
        "must be MONOCHROME1 or MONOCHROME2",
        33,
    ),
    Case("syntax_unknown", _syntax("1.2.3"), Reason.SYNTAX, "not a native one", 36),
    Case("syntax_missing", _syntax(None), Reason.SYNTAX, "not a native one", 36),
    # Where the payload says what it is, or has just the right size, it is believed (PS3.5 8.2.4).
    Case("j2k_as_jpegls", _syntax(SYNTAXES["jpegls"], "j2k"), (Flag.SYNTAX_MISMATCH,), row=36),
    Case("j2k_as_native", _syntax(SYNTAXES["raw"], "j2k"), (Flag.SYNTAX_MISMATCH,), row=36),
    Case("native_as_j2k", _syntax(SYNTAXES["j2k"]), (Flag.SYNTAX_MISMATCH,), row=36),
    Case("explicit_as_implicit", spoiled(_explicit_as_implicit), (Flag.SYNTAX_MISMATCH,), row=37),
    Case("implicit_as_explicit", spoiled(_implicit_as_explicit), (Flag.SYNTAX_MISMATCH,), row=37),
    Case(
        "stored_above_allocated",
        tagged(BitsStored=17),
        Reason.HEADER,
        "17 bits stored do not fit into 16 bits allocated",
        38,
    ),
    # Conformant files of a layout that mammography has no use for: unsupported, not damaged.
    *(
        Case(
            f"allocated_{bits}",
            tagged(BitsAllocated=bits),
            Reason.UNSUPPORTED,
            f"{bits} bits allocated",
            38,
        )
        for bits in (1, 12, 32, 64)
    ),
    Case("stored_0", tagged(BitsStored=0), Reason.HEADER, "0 bits stored do not fit", 38),
    Case("stored_missing", tagged(BitsStored=None), Reason.HEADER, "number for BitsStored", 38),
    Case("high_bit_too_low", tagged(HighBit=10), Reason.HEADER, "high bit 10 does not fit", 38),
    Case("high_bit_shifted", tagged(HighBit=15), (Flag.HIGH_BIT,), row=38),
    Case(
        "representation_7",
        tagged(PixelRepresentation=7),
        Reason.HEADER,
        "it must be 0 or 1",
        40,
    ),
    Case("overlay_in_high_bits", spoiled(_overlay_in_high_bits), (), row=39),
    Case(
        "odd_character_set",
        tagged(SpecificCharacterSet="ISO_IR 999", PatientID=b"\xff\x1b$B\x80 "),
        (),
        row=47,
    ),
    Case("uid_of_bytes", tagged(SOPInstanceUID=b"1.2.\xff\xfe\n3 "), (), row=47),
    Case("uid_of_10000", tagged(SOPInstanceUID="1." * 5000), (), row=47),
    Case("unknown_vr", before_pixels(_OWN + b"ZZ\4\0abcd"), (), row=47),
    Case("values_without_length", before_pixels(_OWN + _ENDLESS), Reason.TRUNCATED, "inside", 16),
    Case(
        "sequence_of_1200",
        tagged(VOILUTSequence=[{"LUTDescriptor": (1, 0, 12)}] * 1200),
        Reason.TOO_LARGE,
        "VOILUTSequence has more than 1000 items",
        16,
    ),
    Case("meta_of_1000", spoiled(_long_meta), Reason.CORRUPT, "more than 256 elements", 13),
    Case("big_as_little", spoiled(_big_endian), Reason.TRUNCATED, "before its pixel data", 37),
    Case("uid_of_letters", tagged(StudyInstanceUID="not a uid"), (), row=47),
    Case("no_instance_uid", tagged(SOPInstanceUID=None), (), row=47),
    Case("float_pixels", spoiled(_float_pixels), Reason.UNSUPPORTED, "floating-point", 48),
    Case("two_kinds", spoiled(_float_before_pixels), Reason.UNSUPPORTED, "floating-point", 48),
    # What follows the pixel data is never read: only padding may stand there.
    Case("pixels_twice", spoiled(_pixels_twice), (), row=48),
    Case("no_pixels", _with_pixels(b""), Reason.NO_PIXELS, "the pixel data element is empty", 4),
    Case(
        "ct",
        tagged(SOPClassUID=f"{_STORAGE}2", Modality="CT"),
        Reason.NOT_MAMMOGRAPHY,
        "another modality",
    ),
    Case(
        "report",
        tagged(SOPClassUID=f"{_STORAGE}88.33", Rows=None),
        Reason.NOT_AN_IMAGE,
        "a report",
    ),
    Case(
        "dicomdir_under_another_name",
        tagged(SOPClassUID="1.2.840.10008.1.3.10", Rows=None),
        Reason.NOT_AN_IMAGE,
        "a report, a presentation state or the like",
        25,
    ),
    Case(
        "for_processing",
        tagged(SOPClassUID=f"{_STORAGE}1.2.1", PresentationIntentType="FOR PROCESSING"),
        Reason.FOR_PROCESSING,
        "raw detector data",
        63,
    ),
]
