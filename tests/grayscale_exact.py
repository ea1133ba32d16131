"""PS3.3 C.11 in rational numbers, one bit pattern at a time: what the grayscale is measured by."""

import math
from fractions import Fraction

from dali_pipelines.records import Grayscale, Lut

TOP = 65535
HALF = Fraction(1, 2)


def exact(value: float) -> Fraction:
    """A header's decimal number, as it is written."""
    return Fraction(repr(value))


def exact_value(g: Grayscale, pattern: int) -> Fraction:
    """The display value 0 ... 65535 of a bit pattern; the first window or LUT is taken."""
    stored = pattern
    if g.signed and pattern >= 2 ** (g.bits - 1):
        stored = pattern - 2**g.bits
    if g.padding is not None and g.padding[0] <= stored <= g.padding[1]:
        return Fraction(0)
    x, low, high = exact_modality(g, stored)
    if g.voi_luts:
        lut = g.voi_luts[0]
        y = Fraction(TOP * exact_lookup(lut, x), 2**lut.bits - 1)
    elif g.windows:
        y = exact_window(g.function, exact(g.windows[0].center), exact(g.windows[0].width), x)
    else:
        y = TOP * min(max((x - low) / (high - low), Fraction(0)), Fraction(1))
    return TOP - y if g.invert else y


def exact_entry(g: Grayscale, pattern: int) -> int:
    """The entry of the table: `exact_value`, ties to the even integer."""
    return round(exact_value(g, pattern))


def exact_modality(g: Grayscale, stored: int) -> tuple[Fraction, Fraction, Fraction]:
    """Modality output of a stored value, and the least and largest output there can be."""
    if g.modality_lut is not None:
        entry = Fraction(exact_lookup(g.modality_lut, Fraction(stored)))
        return entry, Fraction(0), Fraction(2**g.modality_lut.bits - 1)
    slope, intercept = exact(g.slope), exact(g.intercept)
    least = -(2 ** (g.bits_stored - 1)) if g.signed else 0
    low, high = sorted(slope * v + intercept for v in (least, least + 2**g.bits_stored - 1))
    return slope * stored + intercept, low, high


def exact_lookup(lut: Lut, x: Fraction) -> int:
    entries = memoryview(lut.data).cast("H")
    return entries[min(max(round(x) - lut.first, 0), len(entries) - 1)]


def exact_window(function: str, c: Fraction, w: Fraction, x: Fraction) -> Fraction:
    if function == "SIGMOID":
        return Fraction(TOP / (1 + math.exp(min(-4 * (x - c) / w, 700))))
    if function == "LINEAR_EXACT":
        if x <= c - w / 2:
            return Fraction(0)
        return Fraction(TOP) if x > c + w / 2 else ((x - c) / w + HALF) * TOP
    if x <= c - HALF - (w - 1) / 2:
        return Fraction(0)
    if x > c - HALF + (w - 1) / 2:
        return Fraction(TOP)
    return ((x - (c - HALF)) / (w - 1) + HALF) * TOP
