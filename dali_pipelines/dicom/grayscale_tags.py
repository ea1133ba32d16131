"""The header's grayscale tags -> Grayscale: rescale, windows, LUTs, padding and polarity.

PS3.3 C.11.1 (modality), C.11.2 (VOI), C.11.6 (presentation), C.7.5.1.1.2 (padding). What has no
meaning is dropped and flagged here, so that the table built from a record needs no second opinion.
"""

import math
from dataclasses import replace
from typing import Final, cast, get_args

from pydicom.dataset import Dataset

from dali_pipelines.dicom.lut_tags import read_lut
from dali_pipelines.dicom.pixel_format import PixelFormat
from dali_pipelines.dicom.tag_values import integer, integers, items, numbers, raw_element, text
from dali_pipelines.dicom.uids import DX_FAMILY, PROCESSING_CLASSES
from dali_pipelines.grayscale import check_grayscale
from dali_pipelines.records import Grayscale, Lut, StreamInfo, VoiFunction, Window
from dali_pipelines.verdicts import Flag, Reason, RejectError

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
    expected = Flag.NONCONFORMANT_RESCALE if sop_class_uid not in DX_FAMILY else None
    return grayscale, tuple(flag for flag in dict.fromkeys(flags) if flag != expected)


def _bits(dataset: Dataset, stream: StreamInfo, pixel_format: PixelFormat) -> int:
    """Bits of a stored value: the codestream's, unless its high bits hold an overlay plane."""
    if stream.kind in ("raw", "rle") or _has_embedded_overlay(dataset):
        return pixel_format.bits_stored
    return max(stream.precision, 1)


def _has_embedded_overlay(dataset: Dataset) -> bool:
    """Whether an overlay lies in unused bits of the pixels. PS3.5-2004 8.1.2, retired since."""
    for group in _OVERLAY_GROUPS:
        base = group << 16
        bits = integer(dataset, base | _OVERLAY_BITS) or 0
        position = integer(dataset, base | _OVERLAY_BIT) or 0
        apart = raw_element(dataset, base | _OVERLAY_DATA) is not None
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
    """The usable tables of the VOI LUT Sequence, in its order."""
    found = [read_lut(item, signed_input=signed_input) for item in items(dataset, "VOILUTSequence")]
    if not all(exact for _, exact in found):
        flags.append(Flag.LUT_INVALID)
    return tuple(lut for lut, _ in found if lut is not None)


def _windows(dataset: Dataset, flags: Flags) -> tuple[tuple[Window, ...], VoiFunction]:
    """The valid pairs of center and width, in their order, and the function they go through."""
    centers, widths = numbers(dataset, "WindowCenter"), numbers(dataset, "WindowWidth")
    if not centers and not widths:
        return (), "LINEAR"
    if len(centers) != len(widths):
        flags.append(Flag.VOI_VM_MISMATCH)
    function = _function(dataset)
    least = 1.0 if function == "LINEAR" else math.ulp(0.0)
    pairs = [Window(*pair) for pair in zip(centers, widths, strict=False)]
    valid = [w for w in pairs if math.isfinite(w.center) and least <= w.width < math.inf]
    if len(valid) < max(len(pairs), 1):
        flags.append(Flag.VOI_INVALID)
    return tuple(valid), function


def _function(dataset: Dataset) -> VoiFunction:
    """The VOI LUT Function; absent or empty means LINEAR. PS3.3 C.11.2.1.3."""
    name = text(dataset, "VOILUTFunction").upper()
    if name in get_args(VoiFunction):
        return cast("VoiFunction", name)
    if name:
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
