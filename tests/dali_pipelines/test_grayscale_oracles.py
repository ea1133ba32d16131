"""Display values against pydicom and highdicom, over headers that hypothesis draws.

Where pydicom departs from the standard, it is asked nothing here: `test_grayscale_departures` has
these places.
"""

import highdicom.pixels
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dali_pipelines.grayscale import choose_voi, display_table, display_values
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.voi_settings import Voi
from tests.grayscale_headers import NO_RESCALE, decimals, grayscales
from tests.pydicom_display import pydicom_values, stored_values

TOP = 65535
OF_PYDICOM = 1e-4 * TOP  # what is promised; 1e-9 of the range is what is found
OF_HIGHDICOM = 1e-12 * TOP
SLOPES = st.sampled_from((1.0, 2.0, 0.5, 0.25, 2.5, 1.1, 0.003, 12.75))
RISING = st.just(NO_RESCALE) | st.tuples(SLOPES, decimals(-2000, 2000))
EITHER = RISING | st.tuples(SLOPES.map(lambda slope: -slope), decimals(-2000, 2000))
WHOLE = st.just(NO_RESCALE) | st.tuples(st.just(1.0), st.integers(-2000, 2000).map(float))
PICKS = st.integers(0, 2)


def asked(g: Grayscale, use: str, number: int) -> Voi:
    """The recipe's setting for the n-th of what is offered."""
    return Voi(use=use, pick=number % max(1, len(g.windows) + len(g.voi_luts)))


@settings(max_examples=150, deadline=None)
@given(grayscales(voi="windows", rescales=RISING, modality_bits=(8, 16)), PICKS)
def test_windows_are_those_of_pydicom(g, number):
    voi = asked(g, "window", number)
    with np.errstate(over="ignore"):  # its exp() of a far-off value
        theirs = pydicom_values(g, voi.pick, lut=False)
    assert np.abs(display_values(g, voi) - theirs).max() <= OF_PYDICOM * 1e-5


@settings(max_examples=100, deadline=None)
@given(
    grayscales(voi="luts", rescales=WHOLE, modality_bits=(8, 16), lut_bits=(10, 12, 14, 16)), PICKS
)
def test_voi_luts_are_those_of_pydicom(g, number):
    voi = asked(g, "lut", number)
    largest = 2**g.modality_lut.bits if g.modality_lut else stored_values(g).max() + g.intercept
    assume(largest - g.voi_luts[voi.pick].first < 65536)
    theirs = pydicom_values(g, voi.pick)
    assert np.abs(display_values(g, voi) - theirs).max() <= OF_PYDICOM * 1e-5


@settings(max_examples=100, deadline=None)
@given(grayscales(voi="none", rescales=EITHER, modality_bits=(8, 16)))
def test_the_modality_step_is_that_of_pydicom(g):
    theirs = pydicom_values(g)
    assert np.abs(display_values(g, Voi()) - theirs).max() <= OF_PYDICOM * 1e-5


@settings(max_examples=250, deadline=None)
@given(grayscales(voi="windows", rescales=EITHER), PICKS)
def test_windows_are_those_of_highdicom(g, number):
    voi = asked(g, "window", number)
    window = choose_voi(g, voi)
    assert isinstance(window, Window)
    with np.errstate(over="ignore"):  # its exp() of a far-off value
        theirs = highdicom.pixels.apply_voi_window(
            stored_values(g) * g.slope + g.intercept,
            window.center,
            window.width,
            g.function,
            (0, TOP),
            invert=g.invert,
        )
    assert np.abs(display_values(g, voi) - theirs).max() <= OF_HIGHDICOM


@settings(max_examples=100, deadline=None)
@given(grayscales(voi="luts", rescales=WHOLE, modality_bits=(8, 10, 12, 16)), PICKS)
def test_luts_are_those_of_highdicom(g, number):
    voi = asked(g, "lut", number)
    lut, inputs = choose_voi(g, voi), stored_values(g) + int(g.intercept)
    assert isinstance(lut, Lut)
    if g.modality_lut is not None:
        inputs = looked_up(inputs, g.modality_lut).astype(np.int64)
    theirs = looked_up(inputs, lut) / (2**lut.bits - 1) * TOP
    theirs = TOP - theirs if g.invert else theirs
    assert np.abs(display_values(g, voi) - theirs).max() <= OF_HIGHDICOM


def looked_up(inputs: np.ndarray, lut: Lut) -> np.ndarray:
    return highdicom.pixels.apply_lut(inputs, lut.values, lut.first)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(("windows", "luts", "none")).flatmap(
        lambda voi: grayscales(voi=voi, rescales=EITHER)
    )
)
def test_the_table_is_the_values_rounded(g):
    values, table = display_values(g, Voi()), display_table(g, Voi())
    assert values.dtype == np.float64
    assert values.shape == (2**g.bits,)
    assert values.min() >= 0
    assert values.max() <= TOP
    assert np.abs(table - values).max() <= 0.5 + 1e-6
