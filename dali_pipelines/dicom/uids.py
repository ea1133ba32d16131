"""What the UIDs of transfer syntaxes and SOP classes mean for us. PS3.6 table A-1."""

from typing import Final

from dali_pipelines.records import StreamKind

IMPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
EXPLICIT_BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"  # retired
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
RLE_LOSSLESS: Final = "1.2.840.10008.1.2.5"
JPEG_LOSSLESS_SV1: Final = "1.2.840.10008.1.2.4.70"

NATIVE_SYNTAXES: Final = frozenset(
    (
        IMPLICIT_LITTLE_ENDIAN,
        EXPLICIT_LITTLE_ENDIAN,
        EXPLICIT_BIG_ENDIAN,
        DEFLATED,
    )
)
ENCAPSULATED_SYNTAXES: Final[dict[str, StreamKind]] = {
    RLE_LOSSLESS: "rle",
    "1.2.840.10008.1.2.4.50": "jpeg_dct",
    "1.2.840.10008.1.2.4.51": "jpeg_dct",
    "1.2.840.10008.1.2.4.57": "jpeg_lossless",
    JPEG_LOSSLESS_SV1: "jpeg_lossless",
    "1.2.840.10008.1.2.4.80": "jpegls",
    "1.2.840.10008.1.2.4.81": "jpegls",
    "1.2.840.10008.1.2.4.90": "j2k",
    "1.2.840.10008.1.2.4.91": "j2k",
    "1.2.840.10008.1.2.4.201": "htj2k",
    "1.2.840.10008.1.2.4.202": "htj2k",
    "1.2.840.10008.1.2.4.203": "htj2k",
}
SYNTAX_NAMES: Final[dict[str, str]] = {  # short, as README's table has them
    IMPLICIT_LITTLE_ENDIAN: "implicit little endian",
    EXPLICIT_LITTLE_ENDIAN: "explicit little endian",
    EXPLICIT_BIG_ENDIAN: "explicit big endian",
    DEFLATED: "deflated",
    RLE_LOSSLESS: "RLE",
    "1.2.840.10008.1.2.4.50": "JPEG baseline, 8 bits",
    "1.2.840.10008.1.2.4.51": "JPEG extended, 12 bits",
    "1.2.840.10008.1.2.4.57": "JPEG lossless",
    JPEG_LOSSLESS_SV1: "JPEG lossless, predictor 1",
    "1.2.840.10008.1.2.4.80": "JPEG-LS",
    "1.2.840.10008.1.2.4.81": "JPEG-LS, near-lossless",
    "1.2.840.10008.1.2.4.90": "JPEG 2000",
    "1.2.840.10008.1.2.4.91": "JPEG 2000, lossy",
    "1.2.840.10008.1.2.4.201": "HTJ2K",
    "1.2.840.10008.1.2.4.202": "HTJ2K",
    "1.2.840.10008.1.2.4.203": "HTJ2K, lossy",
}
LOSSLESS_SYNTAXES: Final = frozenset(
    f"1.2.840.10008.1.2.4.{last}" for last in (57, 70, 80, 90, 201, 202)
)

_STORAGE: Final = "1.2.840.10008.5.1.4.1.1."
MAMMOGRAPHY: Final = f"{_STORAGE}1.2"  # for presentation
MAMMOGRAPHY_PROCESSING: Final = f"{_STORAGE}1.2.1"
SECONDARY_CAPTURE: Final = f"{_STORAGE}7"
PROCESSING_CLASSES: Final = frozenset(  # mammography, DX, intra-oral, breast projections
    (MAMMOGRAPHY_PROCESSING, *(f"{_STORAGE}{last}" for last in ("1.1.1", "1.3.1", "13.1.5")))
)
DX_FAMILY: Final = frozenset(  # IODs with the DX Image module, whose rescale must be 1 and 0
    f"{_STORAGE}{last}" for last in ("1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1")
)
MULTIFRAME_CLASSES: Final = frozenset(  # tomosynthesis, breast projections
    f"{_STORAGE}13.1.{last}" for last in (3, 4, 5)
)
MAMMOGRAM_CLASSES: Final = frozenset(  # what mammograms come as: CR, DX, MG; and Secondary Capture
    f"{_STORAGE}{last}" for last in ("1", "1.1", "1.1.1", "1.2", "1.2.1")
)
PROJECTION_CLASSES: Final = DX_FAMILY | MULTIFRAME_CLASSES | {f"{_STORAGE}1", SECONDARY_CAPTURE}
_NOT_IMAGES: Final = (  # others without pixel data are told from images by just that
    "1.2.840.10008.1.3.10",  # DICOMDIR
    f"{_STORAGE}9.",  # waveforms
    f"{_STORAGE}11.",  # presentation states
    f"{_STORAGE}66",  # raw data, registrations, segmentations
    f"{_STORAGE}88.",  # structured reports, key objects
    f"{_STORAGE}104.",  # encapsulated documents
)


def is_not_an_image(sop_class_uid: str) -> bool:
    """Whether objects of this class hold no picture: reports, presentation states, segments."""
    return sop_class_uid.startswith(_NOT_IMAGES)


def is_secondary_capture(sop_class_uid: str) -> bool:
    """Whether this is Secondary Capture, single-frame or one of its four multi-frame kin."""
    return sop_class_uid == SECONDARY_CAPTURE or sop_class_uid.startswith(f"{SECONDARY_CAPTURE}.")
