"""Gray scales without meaning: rescale, windows, tables, padding, polarity."""

import numpy as np

from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import tagged

_INVALID = (Flag.VOI_INVALID, Flag.VOI_ABSENT)
_NO_TABLE = (Flag.LUT_INVALID, Flag.VOI_ABSENT)


def _window(center: str | None, width: str | None, **tags: object) -> Build:
    return tagged(WindowCenter=center, WindowWidth=width, **tags)


def _table(descriptor: tuple[int, int, int], data: bytes, **tags: object) -> Build:
    """A file with one VOI LUT and no window."""
    item = {"LUTDescriptor": descriptor, "LUTData": data}
    return tagged(**_NO_WINDOW, VOILUTSequence=[item], **tags)


def _modality(descriptor: tuple[int, int, int], entries: int) -> Build:
    item = {"LUTDescriptor": descriptor, "LUTData": bytes(2 * entries), "ModalityLUTType": "US"}
    return tagged(ModalityLUTSequence=[item])


_RAMP = np.arange(4096, dtype="<u2").tobytes()
_NO_WINDOW = {"WindowCenter": None, "WindowWidth": None}

CASES = [
    *(
        Case(f"window_{name}", _window(center, width), _INVALID, row=row)
        for name, center, width, row in (
            ("width_0", "2048", "0", 49),
            ("width_negative", "2048", "-4096", 49),
            ("width_below_1", "2048", "0.5", 49),
            ("nan", "nan", "4096", 50),
            ("inf", "2048", "inf", 50),
            ("text", "abc", "4096", 50),
        )
    ),
    Case(
        "window_center_alone",
        _window("2048", None),
        (Flag.VOI_VM_MISMATCH, *_INVALID),
        row=51,
    ),
    # Finite numbers, however far from any image, are taken at their word.
    *(
        Case(
            f"{function.lower()}_{name}",
            _window(center, width, VOILUTFunction=function),
            (),
            row=49,
        )
        for function in ("LINEAR", "LINEAR_EXACT", "SIGMOID")
        for name, center, width in (("far", "1e308", "1e308"), ("steep", "2048", "1"))
    ),
    Case("window_empty", _window("", ""), (Flag.VOI_ABSENT,), row=50),
    Case("window_missing", _window(None, None), (Flag.VOI_ABSENT,), row=52),
    Case("window_vm", _window("2048\\1000", "4096"), (Flag.VOI_VM_MISMATCH,), row=51),
    Case(
        "function_unknown",
        tagged(VOILUTFunction="GAMMA"),
        Reason.VOI,
        "VOI LUT Function",
        51,
    ),
    Case("lut_short", _table((4096, 0, 12), _RAMP[:100]), _NO_TABLE, row=53),
    Case("lut_long", _table((4096, 0, 12), _RAMP + _RAMP), (Flag.LUT_INVALID,), row=53),
    Case("lut_of_8_bits", _table((256, 0, 8), bytes(range(256))), (), row=53),
    Case("lut_of_9_bits", _table((512, 0, 9), _RAMP[:1024]), (), row=53),
    Case("lut_of_17_bits", _table((4096, 0, 17), _RAMP), _NO_TABLE, row=53),
    Case(
        "lut_negative_first",
        _table((4096, 65536 - 100, 12), _RAMP, RescaleSlope="1", RescaleIntercept="-100"),
        (Flag.NONCONFORMANT_RESCALE,),
        row=53,
    ),
    Case(
        "lut_beside_all_values",
        _table((4096, 65534, 12), _RAMP),
        (Flag.LUT_RANGE_SUSPECT,),
        row=53,
    ),
    Case("lut_of_half_range", _table((4096, 0, 16), _RAMP), (Flag.LUT_RANGE_SUSPECT,), row=53),
    Case("modality_lut_short", _modality((4096, 0, 12), 50), Reason.LUT, "modality LUT", 53),
    Case("slope_0", tagged(RescaleSlope="0", RescaleIntercept="0"), Reason.RESCALE, "no value", 54),
    Case(
        "slope_alone",
        tagged(RescaleSlope="1"),
        Reason.RESCALE,
        "1 values of Rescale Slope and 0 of Rescale Intercept",
        54,
    ),
    Case(
        "slope_nan",
        tagged(RescaleSlope="nan", RescaleIntercept="0"),
        Reason.RESCALE,
        "map to no value",
        54,
    ),
    Case("polarity", tagged(PresentationLUTShape="INVERSE"), (Flag.POLARITY_CONFLICT,), row=55),
    Case(
        "padding_after_lossy",
        tagged(PixelPaddingValue=0, LossyImageCompression="01"),
        (Flag.PADDING_LOSSY, Flag.LOSSY_HISTORY),
        row=56,
    ),
    Case(
        "padding_covers_breast",
        tagged(PixelPaddingValue=0, PixelPaddingRangeLimit=4000),
        (Flag.PADDING_SUSPECT,),
        row=56,
    ),
]
