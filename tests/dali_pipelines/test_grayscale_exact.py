"""Whole grayscale tables against exact arithmetic: random headers of every kind at once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.grayscale import display_table, display_values
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.voi_settings import Voi
from tests.grayscale_exact import exact_entry, exact_value
from tests.grayscale_headers import FUNCTIONS, NO_RESCALE, decimals, grayscales

RESCALES = st.just(NO_RESCALE) | st.tuples(decimals(-3, 3).filter(bool), decimals(-2000, 2000))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(("windows", "luts", "none")).flatmap(
        lambda voi: grayscales(voi=voi, rescales=RESCALES, modality_bits=(8, 10, 12, 16))
    ),
    st.integers(0, 2**32),
)
def test_values_are_exact_to_a_billionth_before_rounding(g, seed):
    values = display_values(g, Voi())
    for k in np.random.default_rng(seed).integers(0, 2**g.bits, 50).tolist():
        assert abs(values[k] - float(exact_value(g, k))) <= 65535e-9


def random_lut(rng: np.random.Generator, span: float, low: float) -> Lut:
    bits = int(rng.choice([8, 10, 12, 14, 16]))
    count = int(rng.integers(1, min(int(span * 1.2) + 2, 65536)))
    data = np.sort(rng.integers(0, 2**bits, count)).astype("<u2")
    return Lut(
        first=int(low + rng.integers(-20, int(span / 3) + 2)), bits=bits, data=data.tobytes()
    )


def random_grayscale(seed: int, bits: int) -> Grayscale:
    """Anything a header may hold, in any combination; numbers of up to three decimals."""
    rng = np.random.default_rng(seed)
    signed = bool(rng.integers(2))
    bits_stored = int(rng.integers(max(4, bits - 4), bits + 1))
    low = -(2 ** (bits_stored - 1)) if signed else 0
    slope = float(rng.choice([1, 1, 1, 1, 2, 0.5, -1, -0.25, 1.1, 0.003]))
    intercept = 0.0 if slope == 1 else float(rng.choice([0, -1024, 0.3]))
    modality = random_lut(rng, 2**bits_stored, low) if rng.random() < 0.15 else None
    ends = [slope * low + intercept, slope * (low + 2**bits_stored - 1) + intercept]
    low_x, span = (min(ends), max(ends) - min(ends))
    if modality is not None:
        low_x, span = 0.0, 2.0**modality.bits
    digits = int(rng.integers(0, 3))
    width = round(float(rng.uniform(1, 1.5 * span + 1)), digits)
    center = round(float(low_x + rng.uniform(-0.1, 1.1) * span), digits)
    voi = rng.choice(["window", "window", "window", "lut", "none"])
    padding = int(rng.integers(low, low + 2 ** (bits_stored - 1)))
    return Grayscale(
        bits=bits,
        bits_stored=bits_stored,
        signed=signed,
        slope=slope,
        intercept=intercept,
        modality_lut=modality,
        function=FUNCTIONS[seed % 3],  # type: ignore[arg-type]
        windows=(Window(center, width),) if voi == "window" else (),
        voi_luts=(random_lut(rng, span, low_x),) if voi == "lut" else (),
        invert=bool(rng.integers(2)),
        padding=(padding, padding + int(rng.integers(3))) if rng.random() < 0.4 else None,
    )


@pytest.mark.parametrize(("bits", "sets"), [(6, 100), (8, 100), (10, 60), (12, 10)])
def test_every_entry_equals_exact_arithmetic(bits, sets):
    for seed in range(sets):
        grayscale = random_grayscale(100 * bits + seed, bits)
        expected = [exact_entry(grayscale, k) for k in range(2**bits)]
        assert display_table(grayscale, Voi()).tolist() == expected, grayscale


@pytest.mark.parametrize("seed", [0, 1])
def test_every_entry_of_16_bits_equals_exact_arithmetic(seed):
    grayscale = replace(random_grayscale(seed, 16), windows=(Window(20000.5, 30001),), voi_luts=())
    expected = [exact_entry(grayscale, k) for k in range(65536)]
    assert display_table(grayscale, Voi()).tolist() == expected
