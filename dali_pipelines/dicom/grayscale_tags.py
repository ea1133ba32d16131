"""The header's grayscale tags -> Grayscale: rescale, windows, LUTs, padding and polarity.

PS3.3 C.11.1 (modality), C.11.2 (VOI), C.11.6 (presentation), C.7.5.1.1.2 (padding). A window or VOI
LUT without meaning is flagged but keeps its place, so that a recipe may count as the header does.
Explanations of windows and LUTs, such as "HARDER" (0028,1055), are free text and not read; nor are
presentation states, which are objects of their own.
"""

import math
from dataclasses import replace
from typing import Final, cast, get_args

from pydicom.dataset import Dataset

from dali_pipelines.dicom.lut_tags import read_lut
from dali_pipelines.dicom.pixel_format import PixelFormat
from dali_pipelines.dicom.tag_values import has_value, integer, integers, items, numbers, text
from dali_pipelines.dicom.uids import DX_FAMILY, PROCESSING_CLASSES
from dali_pipelines.grayscale_checks import check_grayscale
from dali_pipelines.records import Grayscale, Lut, StreamInfo, VoiFunction, Window
from dali_pipelines.verdicts import Flag, Reason, RejectError

_SIGNLESS: Final = ("jpeg_lossless", "jpegls", "jpeg_dct")  # JPEG states no sign; J2K does
_UNREADABLE: Final = Window(0.0, 0.0)  # keeps the place of a window that is no pair of numbers
_OVERLAY_GROUPS: Final = range(0x6000, 0x6020, 2)  # PS3.5 7.6
_OVERLAY_BITS, _OVERLAY_BIT, _OVERLAY_DATA = 0x0100, 0x0102, 0x3000
TAGS: Final[tuple[str | int, ...]] = (
    "RescaleSlope",
    "RescaleIntercept",
    "ModalityLUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "VOILUTSequence",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PresentationLUTShape",
    "PhotometricInterpretation",
    "LossyImageCompression",
    *(
        group << 16 | element
        for group in _OVERLAY_GROUPS
        for element in (_OVERLAY_BITS, _OVERLAY_BIT, _OVERLAY_DATA)
    ),
)

Flags = list[Flag]


def read_grayscale(
    dataset: Dataset, sop_class_uid: str, stream: StreamInfo, pixel_format: PixelFormat
) -> tuple[Grayscale, tuple[Flag, ...]]:
    """How stored values become display values, and what is odd about it.

    Size and sign of a stored value are the codestream's where it has a say. RejectError: RESCALE,
    LUT where the modality step has no meaning, VOI for an unknown VOI LUT Function, CORRUPT.
    """
    flags: Flags = []
    bits = _bits(dataset, stream, pixel_format)
    slope, intercept = _rescale(dataset)
    signed = stream.signed or pixel_format.signed
    modality_lut = _modality_lut(dataset, signed, flags)
    below_zero = modality_lut is None and (signed or intercept < 0 or slope < 0)
    windows, function = _windows(dataset, flags)
    grayscale = Grayscale(
        bits=bits,
        bits_stored=min(pixel_format.bits_stored, bits),
        signed=signed,
        slope=slope,
        intercept=intercept,
        modality_lut=modality_lut,
        function=function,
        windows=windows,
        voi_luts=_voi_luts(dataset, below_zero, flags),
        invert=_invert(dataset, flags),
        padding=_padding(dataset, signed, flags),
    )
    if sop_class_uid in PROCESSING_CLASSES and (grayscale.windows or grayscale.voi_luts):
        flags.append(Flag.VOI_INVALID)  # raw detector data shall have none, PS3.3 table A.27-1
        grayscale = replace(grayscale, windows=(), voi_luts=())
    flags += check_grayscale(grayscale)
    if Flag.PADDING_SUSPECT in flags:
        grayscale = replace(grayscale, padding=None)
    lossy = stream.lossy or text(dataset, "LossyImageCompression") == "01"
    if lossy and grayscale.padding is not None:
        flags.append(Flag.PADDING_LOSSY)  # C.7.5.1.1.2; the exact values still count
    expected = Flag.NONCONFORMANT_RESCALE if sop_class_uid not in DX_FAMILY else None
    return grayscale, tuple(flag for flag in dict.fromkeys(flags) if flag != expected)


def _bits(dataset: Dataset, stream: StreamInfo, pixel_format: PixelFormat) -> int:
    """Bits of a stored value: the codestream's, unless its high bits hold something else.

    That is an overlay plane, or copies of the sign bit: encoders that know no sign put 12 signed
    bits into a stream of 16 as they stand.
    """
    signless = pixel_format.signed and stream.kind in _SIGNLESS
    if signless and stream.precision > pixel_format.bits_stored:
        return pixel_format.bits_stored
    if stream.kind in ("raw", "rle") or _has_embedded_overlay(dataset):
        return pixel_format.bits_stored
    return max(stream.precision, 1)


def _has_embedded_overlay(dataset: Dataset) -> bool:
    """Whether an overlay lies in unused bits of the pixels. PS3.5-2004 8.1.2, retired since."""
    for group in _OVERLAY_GROUPS:
        base = group << 16
        bits = integer(dataset, base | _OVERLAY_BITS) or 0
        position = integer(dataset, base | _OVERLAY_BIT) or 0
        apart = has_value(dataset, base | _OVERLAY_DATA)
        if bits > 1 and position > 0 and not apart:
            return True
    return False


def _rescale(dataset: Dataset) -> tuple[float, float]:
    """(slope, intercept), (1, 0) if neither is there."""
    slopes, intercepts = numbers(dataset, "RescaleSlope"), numbers(dataset, "RescaleIntercept")
    if not slopes and not intercepts:
        return 1.0, 0.0
    if len(slopes) != 1 or len(intercepts) != 1:
        raise RejectError(
            Reason.RESCALE,
            f"{len(slopes)} values of Rescale Slope and {len(intercepts)} of Rescale Intercept; "
            "one of each is needed, or none",
        )
    slope, intercept = slopes[0], intercepts[0]
    if slope == 0 or not (math.isfinite(slope) and math.isfinite(intercept)):
        raise RejectError(
            Reason.RESCALE, f"Rescale Slope {slope} and Intercept {intercept} map to no value"
        )
    return slope, intercept


def _modality_lut(dataset: Dataset, signed: bool, flags: Flags) -> Lut | None:
    sequence = items(dataset, "ModalityLUTSequence")
    if not sequence:
        return None
    lut, exact = read_lut(sequence[0], signed_input=signed)
    if lut is None:
        raise RejectError(
            Reason.LUT, "the modality LUT does not agree with its descriptor; values mean nothing"
        )
    if not exact:
        flags.append(Flag.LUT_INVALID)
    return lut


def _voi_luts(dataset: Dataset, signed_input: bool, flags: Flags) -> tuple[Lut, ...]:
    """The tables of the VOI LUT Sequence, in its order; an unusable one has no entries."""
    found = [read_lut(item, signed_input=signed_input) for item in items(dataset, "VOILUTSequence")]
    if not all(exact for _, exact in found):
        flags.append(Flag.LUT_INVALID)
    return tuple(Lut(0, 16, b"") if lut is None else lut for lut, _ in found)


def _windows(dataset: Dataset, flags: Flags) -> tuple[tuple[Window, ...], VoiFunction]:
    """The pairs of center and width, in their order, and the function they go through."""
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centers and not widths:
        return (), _function(dataset, needed=False)
    if len(centers) != len(widths):
        flags.append(Flag.VOI_VM_MISMATCH)
    pairs = list(zip(centers, widths, strict=False))
    if not pairs:
        flags.append(Flag.VOI_INVALID)  # the others are judged by check_grayscale
    windows = (Window(*p) if all(map(math.isfinite, p)) else _UNREADABLE for p in pairs)
    return tuple(windows), _function(dataset, needed=True)


def _function(dataset: Dataset, *, needed: bool) -> VoiFunction:
    """The VOI LUT Function; absent or empty means LINEAR, PS3.3 C.11.2.1.3.

    Without a window it is not `needed`, but some recipes go by its name (`stretch.curve`).
    """
    name = text(dataset, "VOILUTFunction").upper()
    if name in get_args(VoiFunction):
        return cast("VoiFunction", name)
    if name and needed:
        raise RejectError(
            Reason.VOI,
            f"the VOI LUT Function is none of {', '.join(get_args(VoiFunction))}, so the windows "
            "have no meaning",
        )
    return "LINEAR"


def _padding(dataset: Dataset, signed: bool, flags: Flags) -> tuple[int, int] | None:
    """The inclusive range of stored values that are background; its ends come in either order."""
    value = integers(dataset, "PixelPaddingValue", signed=signed)
    limit = integers(dataset, "PixelPaddingRangeLimit", signed=signed)
    if not value:
        if limit:
            flags.append(Flag.PADDING_SUSPECT)  # a limit without a value is invalid
        return None
    ends = (value[0], *limit[:1])
    return min(ends), max(ends)


def _invert(dataset: Dataset, flags: Flags) -> bool:
    """Whether low values are bright: Presentation LUT Shape, else Photometric Interpretation."""
    by_photometric = text(dataset, "PhotometricInterpretation").upper() == "MONOCHROME1"
    shape = text(dataset, "PresentationLUTShape").upper()
    if shape not in ("IDENTITY", "INVERSE"):
        return by_photometric
    if (shape == "INVERSE") != by_photometric:
        flags.append(Flag.POLARITY_CONFLICT)
    return shape == "INVERSE"
