"""The point functions a grayscale table is made of: window, LUT and rounding, in float64."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.records import Lut, VoiFunction, Window

DISPLAY_TOP: Final = 65535  # black is 0, white is this

# Headers hold decimal numbers. Float64 comes within 1e-9 of the decimal result on these scales, so
# with this rule a tie on paper is a tie here too, and does not fall as the last bit happens to.
_TIE_DECIMALS: Final = 6

Values = NDArray[np.float64]


def apply_window(values: Values, window: Window, function: VoiFunction) -> Values:
    """Display values of a window, (n,) in 0 ... 65535 before rounding."""
    center, width = window.center, window.width
    if function == "SIGMOID":  # C.11.2.1.3.1; never quite reaches its ends, and is left so
        sigmoid: Values = DISPLAY_TOP / (1 + np.exp(-4 * (values - center) / width))
        return sigmoid
    if function == "LINEAR":  # C.11.2.1.2.1
        return ramp(values, center - 0.5, width - 1)
    return ramp(values, center, width)  # C.11.2.1.3.2


def ramp(values: Values, middle: float, span: float) -> Values:
    """0 up to `middle - span / 2`, 65535 past `middle + span / 2`, linear between, (n,).

    `span` 0 is a threshold, as a LINEAR window of width 1 is.
    """
    above = values > middle + span / 2
    inside = (values > middle - span / 2) & ~above
    display: Values = np.where(above, float(DISPLAY_TOP), 0.0)
    part = (values[inside] - middle) / span + 0.5
    display[inside] = np.clip(part, 0, 1) * DISPLAY_TOP  # near 1e15 the ends above are coarse
    return display


def look_up(values: Values, lut: Lut) -> Values:
    """The entry of each value, (n,) in 0 ... 2**bits - 1.

    A fractional value takes the entry of the nearest integer. An entry above the declared range
    counts as its top.
    """
    entries: Values = np.minimum(lut.values, 2**lut.bits - 1).astype(np.float64)
    index = np.clip(nearest(values) - lut.first, 0, len(entries) - 1)
    return entries[index.astype(np.intp)]


def nearest(values: Values) -> Values:
    """The nearest integers, (n,); within 5e-7 of halfway, the even one."""
    rounded: Values = np.rint(np.round(values, _TIE_DECIMALS))
    return rounded
