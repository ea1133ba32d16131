"""Which parts of a header's grayscale have a meaning, and what is odd about the others."""

import math

from dali_pipelines.records import Grayscale, Lut, VoiFunction, Window
from dali_pipelines.verdicts import Flag


def check_grayscale(grayscale: Grayscale) -> tuple[Flag, ...]:
    """What is odd about a header's grayscale, in the order of `Flag`; () where all is well."""
    windows = [usable(item, grayscale.function) for item in grayscale.windows]
    voi_luts = [usable(item, grayscale.function) for item in grayscale.voi_luts]
    luts = [lut for lut, good in zip(grayscale.voi_luts, voi_luts, strict=True) if good]
    modality = grayscale.modality_lut
    if modality is not None and usable(modality, grayscale.function):
        luts.append(modality)
    rescaled = (grayscale.slope, grayscale.intercept) != (1, 0)
    found = {
        Flag.NONCONFORMANT_RESCALE: rescaled or modality is not None,  # C.8.11.3.1.2: not in MG
        Flag.VOI_ABSENT: not any(windows) and not any(voi_luts),
        Flag.VOI_INVALID: not all(windows),
        Flag.LUT_INVALID: not all(voi_luts),
        Flag.LUT_RANGE_SUSPECT: any(map(_range_suspect, luts)) or _luts_missed(grayscale),
        Flag.PADDING_SUSPECT: padding_suspect(grayscale),
    }
    return tuple(flag for flag, present in found.items() if present)


def usable(item: Window | Lut, function: VoiFunction) -> bool:
    """Whether the standard gives the window or LUT a meaning (PS3.3 C.11.1.1.1, C.11.2.1)."""
    if isinstance(item, Lut):
        return len(item.data) > 0 and len(item.data) % 2 == 0 and 1 <= item.bits <= 16
    wide_enough = item.width >= 1 if function == "LINEAR" else item.width > 0
    return wide_enough and math.isfinite(item.center) and math.isfinite(item.width)


def stored_range(grayscale: Grayscale) -> tuple[int, int]:
    """The least and the largest value of `bits_stored` bits."""
    half: int = 2 ** (grayscale.bits_stored - 1)
    return (-half, half - 1) if grayscale.signed else (0, 2 * half - 1)


def padding_suspect(grayscale: Grayscale) -> bool:
    """Whether padding takes more than half of all values: a wrong header, so it is not applied."""
    if grayscale.padding is None:
        return False
    low, high = stored_range(grayscale)
    first, last = grayscale.padding
    return min(last, high) - max(first, low) + 1 > (high - low + 1) / 2


def _range_suspect(lut: Lut) -> bool:
    """Whether entries disagree with the declared bits: beyond them, or all in the lower half.

    Some vendors put the allocated size into the descriptor's third value.
    """
    return not 2 ** (lut.bits - 1) <= int(lut.values.max()) < 2**lut.bits


def _luts_missed(grayscale: Grayscale) -> bool:
    """Whether all values lie beside a table, which then gives one gray.

    So it is with a first value of -2 written as 65534, where no value can be negative.
    """
    half: int = 2 ** (grayscale.bits - 1)
    ends = (-half, half - 1) if grayscale.signed else (0, 2 * half - 1)
    modality = grayscale.modality_lut
    if modality is None:
        low, high = sorted(grayscale.slope * end + grayscale.intercept for end in ends)
        return any(_is_missed(lut, low, high) for lut in grayscale.voi_luts)
    top = 2**modality.bits - 1
    return _is_missed(modality, *ends) or any(_is_missed(t, 0, top) for t in grayscale.voi_luts)


def _is_missed(lut: Lut, low: float, high: float) -> bool:
    """Whether none of low ... high is in the table; False for one without entries."""
    entries = len(lut.data) // 2
    return entries > 0 and (lut.first > high or lut.first + entries - 1 < low)
