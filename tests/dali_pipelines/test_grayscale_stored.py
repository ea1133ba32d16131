"""Stored values shown as they are, the polarity left alone, and windows rounded to float16."""

from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.grayscale import describe_voi, display_table, display_values, shows_stored
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi

NOTHING_STORED_NEEDS = {
    "slope": 3.0,
    "intercept": -7.0,
    "padding": (0, 5),
    "windows": (Window(50, 20),),
    "voi_luts": (Lut(0, 16, b"\0\0\1\0"),),
    "modality_lut": Lut(0, 99, b"odd"),
}


def test_stored_values_are_not_spread_and_nothing_of_the_header_touches_them():
    plain, full = Grayscale(12, 10), Grayscale(12, 10, **NOTHING_STORED_NEEDS)
    assert display_table(plain, Voi("stored")).tolist() == list(range(4096))
    assert display_table(full, Voi("stored")).tolist() == list(range(4096))


def test_stored_values_are_turned_over_within_the_range_of_their_bits():
    table = display_table(Grayscale(8, 7, invert=True, padding=(0, 0)), Voi("stored"))
    assert table.tolist() == list(range(255, -1, -1))


def test_signed_stored_values_are_raised():
    grayscale = Grayscale(4, 4, signed=True)
    table = display_table(grayscale, Voi("stored"))
    # patterns 0 ... 7 are 0 ... 7, patterns 8 ... 15 are -8 ... -1
    assert table.tolist() == [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]
    turned = display_table(replace(grayscale, invert=True), Voi("stored"))
    assert turned.tolist() == [15 - value for value in table.tolist()]


@pytest.mark.parametrize("use", ["auto", "window", "lut", "none", "stored"])
def test_the_polarity_may_be_left_as_stored(use):
    grayscale = Grayscale(10, 10, windows=(Window(400, 300),), voi_luts=(Lut(9, 8, b"\0\0\1\0"),))
    inverted = replace(grayscale, invert=True)
    shown = display_table(inverted, Voi(use, polarity="as-stored"))
    assert np.array_equal(shown, display_table(grayscale, Voi(use)))
    assert not np.array_equal(shown, display_table(inverted, Voi(use)))


@pytest.mark.parametrize("use", ["auto", "window", "lut"])
def test_only_an_image_without_the_wanted_view_falls_back_on_stored_values(use):
    voi = Voi(use, fallback="min-max")
    bare = Grayscale(12, 12, slope=2.0, invert=True)
    assert shows_stored(bare, voi)
    assert np.array_equal(display_table(bare, voi), display_table(bare, Voi("stored")))
    has = replace(bare, windows=(Window(9, 9),), voi_luts=(Lut(0, 8, b"\0\0\1\0"),))
    assert not shows_stored(has, voi)
    assert np.array_equal(display_table(has, voi), display_table(has, Voi(use)))


def test_an_index_that_names_none_is_still_a_reject():
    voi = Voi("window", pick=3, fallback="min-max")
    with pytest.raises(RejectError) as error:
        shows_stored(Grayscale(12, 12, windows=(Window(9, 9),)), voi)
    assert error.value.reason is Reason.VOI


def test_the_choice_in_words():
    bare = Grayscale(12, 12)
    assert describe_voi(bare, Voi("stored")) == "stored values: as asked"
    assert describe_voi(bare, Voi("lut", fallback="min-max")) == (
        "stored values from the least to the greatest: the header has no usable VOI LUT"
    )
    rounded = describe_voi(
        Grayscale(12, 12, windows=(Window(2047.5, 4095),)), Voi(precision="float16")
    )
    assert rounded == "window 1 of 1: center 2048, width 4096, LINEAR"


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ((2047.5, 4095), (2048, 4096)),  # in 2048 ... 4096 float16 goes in steps of 2
        ((2049, 3001), (2048, 3000)),  # halves to even
        ((2051, 3003), (2052, 3004)),
        ((2000, 1023), (2000, 1023)),
        ((70000, 90000), (70000, 90000)),  # past its greatest number, 65504
        ((5, 1e300), (5, 1e300)),
    ],
)
def test_a_window_may_be_rounded_to_float16(given, taken, function):
    grayscale = Grayscale(12, 12, windows=(Window(*given),), function=function)
    wanted = replace(grayscale, windows=(Window(*taken),))
    found = display_values(grayscale, Voi("window", precision="float16"))
    assert np.array_equal(found, display_values(wanted, Voi("window")))


def test_a_width_too_small_for_float16_is_kept():
    grayscale = Grayscale(8, 8, windows=(Window(7, 1e-9),), function="SIGMOID")
    with np.errstate(over="ignore"):
        found = display_values(grayscale, Voi(precision="float16"))
        assert np.array_equal(found, display_values(grayscale, Voi()))


def test_a_lut_may_be_shifted_to_the_top_bits_in_place_of_spread():
    lut = Lut(0, 12, np.arange(4096, dtype="<u2").tobytes())
    shifted = Voi("lut", lut_range="shifted")
    assert display_table(Grayscale(12, 12, voi_luts=(lut,)), shifted).tolist() == list(
        range(0, 65536, 16)
    )
    full = Grayscale(16, 16, voi_luts=(Lut(0, 16, np.arange(65536, dtype="<u2").tobytes()),))
    assert np.array_equal(display_table(full, shifted), display_table(full, Voi("lut")))


def test_only_what_is_used_is_hashed():
    assert Voi("stored", pick=2, fallback="reject", precision="float16").used() == {
        "use": "stored",
        "polarity": "header",
    }
    assert "precision" not in Voi("lut").used()
    assert {"pick", "fallback", "polarity", "precision"} < Voi("auto").used().keys()
