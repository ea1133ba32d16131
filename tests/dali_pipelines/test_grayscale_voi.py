"""Which window or VOI LUT is taken, what becomes of an image without one, and the flags."""

from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.grayscale import choose_voi, describe_voi, display_table
from dali_pipelines.grayscale_checks import check_grayscale
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.verdicts import Flag, Reason, RejectError
from dali_pipelines.voi_settings import Voi

NAN, INF = float("nan"), float("inf")
BYTE = Grayscale(bits=8, bits_stored=8)


def lut_of(values, first=0, bits=16):
    return Lut(first=first, bits=bits, data=np.asarray(values, "<u2").tobytes())


WINDOWS = (Window(50, 20), Window(100, 90), Window(100, 90.0), Window(70, 40))
LUTS = (lut_of([0, 65535]), lut_of([0, 1, 65535], first=9), lut_of([3, 2, 65535]))
OFFERS = replace(BYTE, windows=WINDOWS, voi_luts=LUTS)


@pytest.mark.parametrize(
    ("voi", "chosen"),
    [
        (Voi(), LUTS[0]),
        (Voi(pick="widest"), LUTS[1]),
        (Voi(pick=2), LUTS[2]),
        (Voi(use="lut", pick=1), LUTS[1]),
        (Voi(use="window"), WINDOWS[0]),
        (Voi(use="window", pick="widest"), WINDOWS[1]),
        (Voi(use="window", pick=3), WINDOWS[3]),
        (Voi(use="none", fallback="reject"), None),
    ],
)
def test_choice_among_alternatives(voi, chosen):
    assert choose_voi(OFFERS, voi) is chosen
    alone = replace(BYTE, windows=(chosen,)) if isinstance(chosen, Window) else BYTE
    alone = replace(BYTE, voi_luts=(chosen,)) if isinstance(chosen, Lut) else alone
    np.testing.assert_array_equal(display_table(OFFERS, voi), display_table(alone, Voi()))


@pytest.mark.parametrize(
    ("voi", "phrase"),
    [
        (Voi(), "VOI LUT 1 of 3: 2 entries of 16 bits"),
        (Voi(use="lut", pick="widest"), "VOI LUT 2 of 3: 3 entries of 16 bits"),
        (Voi(use="window"), "window 1 of 4: center 50, width 20, LINEAR"),
        (Voi(use="window", pick="widest"), "window 2 of 4: center 100, width 90, LINEAR"),
        (Voi(use="window", pick=2), "window 3 of 4: center 100, width 90, LINEAR"),
        (Voi(use="none"), "identity: as asked"),
    ],
)
def test_the_choice_in_words(voi, phrase):
    assert describe_voi(OFFERS, voi) == phrase


def test_the_absence_of_a_choice_in_words():
    unusable = replace(BYTE, windows=(Window(5, 0), Window(7.25, 9.5)), function="SIGMOID")
    assert describe_voi(unusable, Voi()) == "window 2 of 2: center 7.25, width 9.5, SIGMOID"
    assert describe_voi(BYTE, Voi("window")) == "identity: the header has no usable window"
    assert describe_voi(BYTE, Voi()) == "identity: the header has no usable window or VOI LUT"
    with pytest.raises(RejectError, match="no usable VOI LUT"):
        describe_voi(unusable, Voi("lut", fallback="reject"))


@pytest.mark.parametrize("use", ["auto", "window", "lut"])
def test_index_that_names_nothing_is_rejected(use):
    with pytest.raises(RejectError, match="index 9 was asked") as caught:
        display_table(OFFERS, Voi(use=use, pick=9))
    assert caught.value.reason is Reason.VOI


def test_index_of_an_unusable_window_is_rejected():
    grayscale = replace(BYTE, windows=(Window(5, 0), Window(5, 9)))
    assert choose_voi(grayscale, Voi(pick=1)) == Window(5, 9)
    with pytest.raises(RejectError, match="1 of them usable"):
        choose_voi(grayscale, Voi(pick=0))


def test_negative_index_is_no_setting():
    with pytest.raises(ValueError, match="index from 0"):
        Voi(pick=-1)


@pytest.mark.parametrize(
    ("grayscale", "voi"),
    [
        (BYTE, Voi()),
        (BYTE, Voi(pick=3)),
        (replace(BYTE, windows=WINDOWS), Voi(use="lut")),
        (replace(BYTE, voi_luts=LUTS), Voi(use="window")),
        (replace(BYTE, windows=(Window(9, 0),), voi_luts=(Lut(0, 8, b""),)), Voi()),
    ],
)
def test_nothing_usable_falls_back_or_rejects(grayscale, voi):
    assert display_table(grayscale, voi).tolist() == [257 * k for k in range(256)]
    with pytest.raises(RejectError, match="no usable") as caught:
        display_table(grayscale, replace(voi, fallback="reject"))
    assert caught.value.reason is Reason.VOI


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        ("LINEAR", [(5, 0.99), (5, 0), (5, -3), (NAN, 9), (5, NAN), (5, INF), (-INF, 9)]),
        ("LINEAR_EXACT", [(5, 0), (5, -0.5), (5, INF), (NAN, 1)]),
        ("SIGMOID", [(5, 0), (5, -10), (INF, 10), (5, NAN)]),
    ],
)
def test_invalid_windows_are_passed_over(function, bad):
    good = Window(100, 1)
    grayscale = replace(BYTE, function=function, windows=(*(Window(*w) for w in bad), good))
    for pick in ("first", "widest"):
        assert choose_voi(grayscale, Voi(pick=pick)) is good
    assert check_grayscale(grayscale) == (Flag.VOI_INVALID,)


@pytest.mark.parametrize("lut", [Lut(0, 16, b""), Lut(0, 16, b"abc"), Lut(0, 0, b"ab")])
def test_invalid_luts(lut):
    grayscale = replace(BYTE, voi_luts=(lut, LUTS[0]))
    assert choose_voi(grayscale, Voi()) is LUTS[0]
    assert check_grayscale(grayscale) == (Flag.LUT_INVALID,)
    with pytest.raises(RejectError, match="modality LUT") as caught:
        display_table(replace(BYTE, modality_lut=lut), Voi())
    assert caught.value.reason is Reason.LUT


@pytest.mark.parametrize(
    ("grayscale", "flags"),
    [
        (replace(BYTE, windows=WINDOWS), ()),
        (replace(BYTE, voi_luts=LUTS), ()),
        (BYTE, (Flag.VOI_ABSENT,)),
        (replace(BYTE, windows=(Window(1, 0),)), (Flag.VOI_ABSENT, Flag.VOI_INVALID)),
        (replace(BYTE, slope=2, windows=WINDOWS), (Flag.NONCONFORMANT_RESCALE,)),
        (
            replace(BYTE, modality_lut=lut_of([1, 127], bits=8), windows=WINDOWS),
            (Flag.NONCONFORMANT_RESCALE, Flag.LUT_RANGE_SUSPECT),
        ),
        (replace(BYTE, voi_luts=(lut_of([32767]),)), (Flag.LUT_RANGE_SUSPECT,)),
        (replace(BYTE, voi_luts=(lut_of([32768]),)), ()),
    ],
)
def test_flags(grayscale, flags):
    assert check_grayscale(grayscale) == flags


@pytest.mark.parametrize(
    ("grayscale", "missed"),
    [
        (Grayscale(12, 12, voi_luts=(lut_of([0, 65535], first=65534),)), True),  # meant as -2
        (Grayscale(12, 12, voi_luts=(lut_of([0, 65535], first=4095),)), False),
        (Grayscale(12, 12, voi_luts=(lut_of([0, 65535], first=4096),)), True),
        (Grayscale(16, 16, voi_luts=(lut_of([0, 65535], first=65534),)), False),
        (Grayscale(12, 12, signed=True, voi_luts=(lut_of([0, 65535], first=-2),)), False),
        (Grayscale(12, 12, signed=True, voi_luts=(lut_of([0, 65535], first=2048),)), True),
        (Grayscale(12, 12, signed=True, voi_luts=(lut_of([0, 65535], first=-2050),)), True),
        (Grayscale(12, 12, slope=2.0, voi_luts=(lut_of([0, 65535], first=8000),)), False),
        (Grayscale(12, 12, slope=-1.0, voi_luts=(lut_of([0, 65535], first=1),)), True),
        (Grayscale(12, 12, modality_lut=lut_of([0, 65535], first=4096)), True),
        (
            Grayscale(
                8, 8, modality_lut=lut_of([0, 65535]), voi_luts=(lut_of([0, 65535], first=60000),)
            ),
            False,
        ),
    ],
)
def test_a_table_beside_all_values_is_suspect(grayscale, missed):
    assert (Flag.LUT_RANGE_SUSPECT in check_grayscale(grayscale)) is missed
    if missed and grayscale.modality_lut is None:
        assert len(set(display_table(grayscale, Voi()).tolist())) == 1
