"""Headers' grayscales drawn by hypothesis: whatever the standard allows, in any combination."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dali_pipelines.grayscale_checks import stored_range
from dali_pipelines.records import Grayscale, Lut, Window

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
NO_RESCALE = (1.0, 0.0)


def decimals(low: float, high: float) -> st.SearchStrategy[float]:
    """Numbers of up to three decimals, as a header writes them."""
    least, most = round(low * 1000), round(high * 1000)
    coarse = st.integers(math.ceil(low), max(math.ceil(low), int(high))).map(float)
    return coarse | st.integers(least, max(least, most)).map(lambda n: n / 1000)


def luts(first: int, span: int, bits: tuple[int, ...]) -> st.SearchStrategy[Lut]:
    """Tables of random entries over about the inputs `first` ... `first + span`."""

    def make(seed: int, depth: int, count: int, start: int) -> Lut:
        values = np.random.default_rng(seed).integers(0, 2**depth, count).astype("<u2")
        return Lut(start, depth, values.tobytes())

    return st.builds(
        make,
        st.integers(0, 2**32),
        st.sampled_from(bits),
        st.integers(2, min(2 * span + 2, 65536)),
        st.integers(max(first - 20, -32768), min(max(first + span // 3, -32000), 32767)),
    )


def windows(low: float, high: float) -> st.SearchStrategy[Window]:
    """Windows about the inputs `low` ... `high`: narrow, wide, beside them, in steps of 1/4.

    Or of three decimals and then no narrower than 1/200 of the inputs: below that float64 cannot
    hold 1e-12 of the range, whoever computes.
    """
    span = high - low
    quarter = st.builds(
        lambda c, w: Window(c / 4, w / 4),
        st.integers(int(4 * (low - span / 4)), int(4 * (high + span / 4))),
        st.integers(5, max(6, int(8 * span))),
    )
    decimal = st.builds(
        Window, decimals(low - span / 4, high + span / 4), decimals(span / 200 + 1.01, 2 * span + 2)
    )
    return quarter | decimal


@st.composite
def grayscales(
    draw: st.DrawFn,
    *,
    voi: str,
    rescales: st.SearchStrategy[tuple[float, float]],
    modality_bits: tuple[int, ...] = (),
    lut_bits: tuple[int, ...] = (8, 10, 12, 14, 16),
) -> Grayscale:
    """A Grayscale with the `voi` "windows", "luts" or "none"; `modality_bits`: of modality LUTs."""
    bits = draw(st.sampled_from((6, 8, 10, 12, 12, 12, 14, 16)))
    slope, intercept = draw(rescales)
    g: dict[str, Any] = {"bits": bits, "bits_stored": bits, "signed": draw(st.booleans())}
    least, most = stored_range(Grayscale(**g))
    low, high = sorted((slope * least + intercept, slope * most + intercept))
    if modality_bits and draw(st.booleans()):
        g["modality_lut"] = draw(luts(least, most - least, modality_bits))
        low, high = 0.0, 2.0 ** g["modality_lut"].bits - 1
    else:
        g |= {"slope": slope, "intercept": intercept}
    if voi == "windows":
        offered = draw(st.lists(windows(low, high), min_size=1, max_size=3))
        g |= {"windows": tuple(offered), "function": draw(st.sampled_from(FUNCTIONS))}
    elif voi == "luts":
        tables = st.lists(luts(int(low), int(high - low), lut_bits), min_size=1, max_size=3)
        g["voi_luts"] = tuple(draw(tables))
    return Grayscale(**g, invert=draw(st.booleans()))
