from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dali_pipelines.columns import grayscale_from_json, grayscale_to_json
from dali_pipelines.grayscale import choose_voi, describe_voi, display_table
from dali_pipelines.records import Grayscale, ImageRecord, Window
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi

Read = Callable[..., ImageRecord]
CR = "1.2.840.10008.5.1.4.1.1.1"


@pytest.fixture
def gray_of(new_dicom: Any, read_dicom: Read) -> Callable[..., tuple[Grayscale, tuple[str, ...]]]:
    def make(vrs: dict[str, str] | None = None, **tags: Any) -> tuple[Grayscale, tuple[str, ...]]:
        file = new_dicom(**tags)
        file.vrs = vrs or {}
        record = read_dicom(file)
        return record.grayscale, record.flags

    return make


@pytest.fixture
def reason_of(gray_of: Any) -> Callable[..., Reason]:
    def make(**tags: Any) -> Reason:
        with pytest.raises(RejectError) as caught:
            gray_of(**tags)
        return caught.value.reason

    return make


def test_a_plain_mammogram(gray_of: Any) -> None:
    assert gray_of() == (Grayscale(12, 12, windows=(Window(2048, 4096),)), ())


@pytest.mark.parametrize(
    ("slope", "intercept"),
    [("1", None), (None, "0"), ("0", "0"), ("nan", "0"), ("1", "inf"), ("abc", "0"), ("1\\1", "0")],
)
def test_a_rescale_without_meaning_is_refused(
    reason_of: Any, slope: str | None, intercept: str | None
) -> None:
    assert reason_of(RescaleSlope=slope, RescaleIntercept=intercept) is Reason.RESCALE


def test_rescale(gray_of: Any) -> None:
    for slope, intercept in (("1", "0"), ("", ""), (None, None)):
        gray, flags = gray_of(RescaleSlope=slope, RescaleIntercept=intercept)
        assert (gray.slope, gray.intercept, flags) == (1, 0, ())
    gray, flags = gray_of(RescaleSlope="2.5", RescaleIntercept="-10")
    assert (gray.slope, gray.intercept, flags) == (2.5, -10, ("nonconformant_rescale",))
    gray, flags = gray_of(RescaleSlope="1", RescaleIntercept="-1024", SOPClassUID=CR)
    assert (gray.intercept, flags) == (-1024, ("not_mg",))  # outside the DX family it is allowed


def test_windows_are_pairs(gray_of: Any) -> None:
    gray, flags = gray_of(WindowCenter="1\\2\\3", WindowWidth="10\\20.5\\30")
    assert gray.windows == (Window(1, 10), Window(2, 20.5), Window(3, 30))
    assert flags == ()
    gray, flags = gray_of(WindowCenter="1\\2\\3", WindowWidth="10\\20")
    assert (gray.windows, flags) == ((Window(1, 10), Window(2, 20)), ("voi_vm_mismatch",))


@pytest.mark.parametrize(
    ("center", "width", "function", "kept"),
    [
        ("nan", "10", None, Window(0, 0)), ("1", "inf", None, Window(0, 0)),
        ("abc", "10", None, Window(0, 0)), ("1", "0", None, Window(1, 0)),
        ("1", "-5", None, Window(1, -5)), ("1", "0.5", None, Window(1, 0.5)),
        ("1", "0", "LINEAR_EXACT", Window(1, 0)), ("1", "-1", "SIGMOID", Window(1, -1)),
    ],
)  # fmt: skip
def test_windows_without_meaning_keep_their_places(
    gray_of: Any, center: str, width: str, function: str | None, kept: Window
) -> None:
    gray, flags = gray_of(WindowCenter=center, WindowWidth=width, VOILUTFunction=function)
    assert (gray.windows, flags) == ((kept,), ("voi_absent", "voi_invalid"))
    assert np.array_equal(display_table(gray, Voi()), display_table(Grayscale(12, 12), Voi()))
    gray, flags = gray_of(
        WindowCenter=f"{center}\\7", WindowWidth=f"{width}\\70", VOILUTFunction=function
    )
    assert (gray.windows, flags) == ((kept, Window(7, 70)), ("voi_invalid",))
    assert choose_voi(gray, Voi()) == choose_voi(gray, Voi(pick=1)) == Window(7, 70)
    with pytest.raises(RejectError):
        choose_voi(gray, Voi(pick=0))
    assert grayscale_from_json(grayscale_to_json(gray)) == gray


def test_luts_are_counted_as_the_header_lists_them(gray_of: Any) -> None:
    good = {"LUTDescriptor": (2, 0, 12), "LUTData": (0, 4095)}
    gray, flags = gray_of(VOILUTSequence=[{}, good])
    assert flags == ("lut_invalid",)
    assert choose_voi(gray, Voi()) == choose_voi(gray, Voi("lut", 1)) == gray.voi_luts[1]
    assert grayscale_from_json(grayscale_to_json(gray)) == gray
    table = display_table(gray, Voi())
    assert (table[0], table[1], table[4095]) == (0, 65_535, 65_535)
    gray, flags = gray_of(VOILUTSequence=[{}], WindowCenter=None, WindowWidth=None)
    assert flags == ("lut_invalid", "voi_absent")
    assert np.array_equal(display_table(gray, Voi()), display_table(Grayscale(12, 12), Voi()))


def test_windows_that_only_look_odd_are_kept(gray_of: Any) -> None:
    assert gray_of(WindowWidth="1")[1] == ()  # a threshold
    gray, flags = gray_of(WindowCenter="-5.5", WindowWidth="0.5", VOILUTFunction="SIGMOID")
    assert (gray.windows, flags) == ((Window(-5.5, 0.5),), ())


def test_a_center_without_width_is_no_window(gray_of: Any) -> None:
    gray, flags = gray_of(WindowWidth=None)
    assert gray.windows == ()
    assert flags == ("voi_vm_mismatch", "voi_invalid", "voi_absent")


def test_no_window_is_flagged(gray_of: Any) -> None:
    assert gray_of(WindowCenter=None, WindowWidth=None)[1] == ("voi_absent",)
    assert gray_of(WindowCenter="", WindowWidth="")[1] == ("voi_absent",)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        (None, "LINEAR"), ("", "LINEAR"), ("LINEAR", "LINEAR"), (" sigmoid ", "SIGMOID"),
        ("SIGMOID\0", "SIGMOID"), ("LINEAR_EXACT", "LINEAR_EXACT"),
    ],
)  # fmt: skip
def test_the_function_is_normalized(gray_of: Any, name: str | None, function: str) -> None:
    assert gray_of(VOILUTFunction=name)[0].function == function
    gray, _ = gray_of(VOILUTFunction=name, WindowCenter=None, WindowWidth=None)
    assert (gray.windows, gray.function) == ((), function)


def test_an_unknown_function_is_refused_where_it_matters(gray_of: Any, reason_of: Any) -> None:
    assert reason_of(VOILUTFunction="CUBIC") is Reason.VOI
    gray, flags = gray_of(VOILUTFunction="CUBIC", WindowCenter=None, WindowWidth=None)
    assert (gray.function, flags) == ("LINEAR", ("voi_absent",))


@pytest.mark.parametrize(
    ("shape", "photometric", "invert", "conflict"),
    [
        (None, "MONOCHROME1", True, False),
        (None, "MONOCHROME2", False, False),
        ("INVERSE", "MONOCHROME1", True, False),
        ("IDENTITY", "MONOCHROME2", False, False),
        ("INVERSE", "MONOCHROME2", True, True),
        ("IDENTITY", "MONOCHROME1", False, True),
        ("LIN OD", "MONOCHROME1", True, False),
        ("identity", "MONOCHROME2", False, False),
    ],
)
def test_polarity(
    gray_of: Any, shape: str | None, photometric: str, invert: bool, conflict: bool
) -> None:
    gray, flags = gray_of(PresentationLUTShape=shape, PhotometricInterpretation=photometric)
    assert gray.invert is invert
    assert flags == (("polarity_conflict",) if conflict else ())


@pytest.mark.parametrize(
    ("tags", "padding"),
    [
        ({}, None),
        ({"PixelPaddingValue": 0}, (0, 0)),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 30}, (0, 30)),
        ({"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 4000}, (4000, 4095)),
        ({"PixelPaddingValue": 63_536}, (63_536, 63_536)),
        ({"PixelPaddingValue": 63_536, "PixelRepresentation": 1}, (-2000, -2000)),
        (
            {
                "PixelPaddingValue": 63_536,
                "PixelPaddingRangeLimit": 65_535,
                "PixelRepresentation": 1,
            },
            (-2000, -1),
        ),
        ({"PixelPaddingValue": 0, "PixelPaddingRangeLimit": 2047}, (0, 2047)),  # just half
    ],
)  # fmt: skip
def test_padding(gray_of: Any, tags: dict[str, int], padding: tuple[int, int] | None) -> None:
    for vr in ("US", "SS"):
        signed = {name: value - 65_536 if value > 32_767 else value for name, value in tags.items()}
        vrs = {"PixelPaddingValue": vr, "PixelPaddingRangeLimit": vr}
        gray, flags = gray_of(vrs, **(signed if vr == "SS" else tags))
        assert (gray.padding, flags) == (padding, ())


def test_padding_of_a_lossy_image_is_flagged_and_still_exact(gray_of: Any) -> None:
    gray, flags = gray_of(PixelPaddingValue=0, LossyImageCompression="01")
    assert (gray.padding, flags) == ((0, 0), ("lossy_history", "padding_after_lossy"))
    assert gray_of(LossyImageCompression="01")[1] == ("lossy_history",)


def test_explanations_are_not_read(new_dicom: Any, read_dicom: Read) -> None:
    names = {"WindowCenterWidthExplanation": "A NAME", "VOILUTFunction": "SIGMOID"}
    record = read_dicom(new_dicom(WindowCenter="9\\8", WindowWidth="7\\6", **names))
    assert describe_voi(record.grayscale, Voi(pick=1)) == (
        "window 2 of 2: center 8, width 6, SIGMOID"
    )
    assert "NAME" not in repr(record)


def test_padding_of_more_than_half_of_all_values_is_ignored(gray_of: Any) -> None:
    gray, flags = gray_of(PixelPaddingValue=0, PixelPaddingRangeLimit=2048)
    assert (gray.padding, flags) == (None, ("padding_range_suspect",))
    assert gray_of(PixelPaddingRangeLimit=30)[1] == ("padding_range_suspect",)


def test_raw_detector_data_lose_their_windows(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2.1")
    record = read_dicom(file, accept_processing=True)
    assert record.grayscale.windows == ()
    assert record.flags == ("for_processing_accepted", "voi_invalid", "voi_absent")
