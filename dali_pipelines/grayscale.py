"""The grayscale table: the display value of every stored value, to the letter of PS3.3 C.11.

Stands between decode and ROI. Sign, padding, modality, VOI and polarity are all point functions
of at most 16 bits, so they become one table, built here in float64; `cpu/window.py` and its GPU
twin only gather from it and so agree bit for bit.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.records import Grayscale, Lut, VoiFunction, Window
from dali_pipelines.verdicts import Flag, Reason, RejectError

DISPLAY_TOP: Final = 65535  # black is 0, white is this
_CACHED_TABLES: Final = 256  # of at most 128 KiB each: 32 MiB

# Headers hold decimal numbers. Float64 comes within 1e-9 of the decimal result on these scales, so
# with this rule a tie on paper is a tie here too, and does not fall as the last bit happens to.
_TIE_DECIMALS: Final = 6

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Voi:
    """Which of the header's views of an image to take; a part of the recipe.

    A header may offer several windows and several VOI LUTs, all of them alternatives (PS3.3
    C.8.11.3.1.5). `use` names the kind; "auto" takes a LUT if there is a usable one, else a
    window. `pick` chooses among that kind: the first usable, the widest (largest width, or most
    entries; the first of equals), or the n-th as the header lists them, from 0. `fallback` says
    what becomes of an image that has none of the wanted kind.
    """

    use: Literal["auto", "window", "lut", "none"] = "auto"
    pick: Literal["first", "widest"] | int = "first"
    fallback: Literal["identity", "reject"] = "identity"

    def __post_init__(self) -> None:
        if isinstance(self.pick, int) and self.pick < 0:
            raise ValueError(f"pick must be 'first', 'widest' or an index from 0, not {self.pick}")


@lru_cache(maxsize=_CACHED_TABLES)
def display_table(grayscale: Grayscale, voi: Voi) -> NDArray[np.uint16]:
    """Display values (2**bits,) uint16, 0 black ... 65535 white; entry k is of bit pattern k.

    Rounding (`_nearest`) comes last. Padding is black whatever the polarity, but is not believed
    if it takes more than half of all values. Without window and LUT the display is linear over
    what the modality step can put out (`_modality`); values beyond take the nearest end. The array
    is shared and read-only.
    RejectError: no usable modality step (RESCALE, LUT), or not the wanted VOI (VOI).
    """
    chosen = choose_voi(grayscale, voi)
    stored = _stored_values(grayscale)
    with np.errstate(over="ignore"):  # infinity takes the right end of every step below
        values, low, high = _modality(stored, grayscale)
        if chosen is None:
            display = _ramp(values, low / 2 + high / 2, high - low)
        elif isinstance(chosen, Lut):
            display = _look_up(values, chosen) * DISPLAY_TOP / (2**chosen.bits - 1)
        else:
            display = _window(values, chosen, grayscale.function)
    if grayscale.invert:
        display = DISPLAY_TOP - display  # (ymin + ymax) - y, PS3.3 C.11.6.1.2
    if grayscale.padding is not None and not _padding_suspect(grayscale):
        first, last = grayscale.padding
        display[(stored >= first) & (stored <= last)] = 0
    table = _nearest(display).astype(np.uint16)
    table.setflags(write=False)
    return table


def choose_voi(grayscale: Grayscale, voi: Voi) -> Window | Lut | None:
    """The window or VOI LUT that `display_table` uses; None: linear over the whole range.

    Unusable ones are passed over, unless `pick` asks for just that one. RejectError(VOI) where an
    index names none, or nothing is usable and `fallback` is "reject".
    """
    kinds: dict[str, tuple[tuple[Window | Lut, ...], ...]] = {
        "auto": (grayscale.voi_luts, grayscale.windows),
        "lut": (grayscale.voi_luts,),
        "window": (grayscale.windows,),
        "none": (),
    }
    for offered in kinds[voi.use]:
        usable = [item for item in offered if _usable(item, grayscale.function)]
        if usable and isinstance(voi.pick, int):
            return _nth(offered, usable, voi.pick)
        if usable:
            return usable[0] if voi.pick == "first" else max(usable, key=_extent)
    if voi.use == "none" or voi.fallback == "identity":
        return None
    wanted = "window or VOI LUT" if voi.use == "auto" else voi.use
    raise RejectError(
        Reason.VOI, f"the header has no usable {wanted}; choose another `use` or allow identity"
    )


def check_grayscale(grayscale: Grayscale) -> tuple[Flag, ...]:
    """What is odd about a header's grayscale, in the order of `Flag`; () where all is well."""
    windows = [_usable(item, grayscale.function) for item in grayscale.windows]
    voi_luts = [_usable(item, grayscale.function) for item in grayscale.voi_luts]
    luts = [lut for lut, usable in zip(grayscale.voi_luts, voi_luts, strict=True) if usable]
    modality = grayscale.modality_lut
    if modality is not None and _usable(modality, grayscale.function):
        luts.append(modality)
    rescaled = (grayscale.slope, grayscale.intercept) != (1, 0)
    found = {
        Flag.NONCONFORMANT_RESCALE: rescaled or modality is not None,  # C.8.11.3.1.2: not in MG
        Flag.VOI_ABSENT: not any(windows) and not any(voi_luts),
        Flag.VOI_INVALID: not all(windows),
        Flag.LUT_INVALID: not all(voi_luts),
        Flag.LUT_RANGE_SUSPECT: any(_range_suspect(lut) for lut in luts),
        Flag.PADDING_SUSPECT: _padding_suspect(grayscale),
    }
    return tuple(flag for flag, present in found.items() if present)


def _stored_values(grayscale: Grayscale) -> NDArray[np.int64]:
    """The stored value of each bit pattern, (2**bits,)."""
    patterns = np.arange(2**grayscale.bits)
    sign_bit = 2 ** (grayscale.bits - 1)
    return (patterns ^ sign_bit) - sign_bit if grayscale.signed else patterns


def _stored_range(grayscale: Grayscale) -> tuple[int, int]:
    """The least and the largest value of `bits_stored` bits."""
    half: int = 2 ** (grayscale.bits_stored - 1)
    return (-half, half - 1) if grayscale.signed else (0, 2 * half - 1)


def _modality(stored: NDArray[np.int64], grayscale: Grayscale) -> tuple[Values, float, float]:
    """Modality output of each stored value, and the least and largest output there can be.

    A LUT stands for the rescale and puts out 0 ... 2**bits - 1; a rescale puts out the image of
    the range of `bits_stored` bits, whose ends change places under a negative slope (PS3.3 C.11.1).
    """
    lut = grayscale.modality_lut
    if lut is not None:
        if not _usable(lut, grayscale.function):
            raise RejectError(
                Reason.LUT,
                f"the modality LUT has {len(lut.data)} bytes of {lut.bits} bits, not 16-bit "
                "entries of 1 to 16 bits; without it the values mean nothing",
            )
        return _look_up(stored.astype(np.float64), lut), 0.0, 2.0**lut.bits - 1
    slope, intercept = grayscale.slope, grayscale.intercept
    low, high = sorted(slope * end + intercept for end in _stored_range(grayscale))
    if not (low < high and math.isfinite(high - low)):
        raise RejectError(
            Reason.RESCALE,
            f"rescale slope {slope} and intercept {intercept} leave no finite range of values; "
            "correct the header",
        )
    return stored.astype(np.float64) * slope + intercept, low, high


def _window(values: Values, window: Window, function: VoiFunction) -> Values:
    """Display values of a window, (n,) in 0 ... 65535 before rounding."""
    center, width = window.center, window.width
    if function == "SIGMOID":  # C.11.2.1.3.1; never quite reaches its ends, and is left so
        sigmoid: Values = DISPLAY_TOP / (1 + np.exp(-4 * (values - center) / width))
        return sigmoid
    if function == "LINEAR":  # C.11.2.1.2.1
        return _ramp(values, center - 0.5, width - 1)
    return _ramp(values, center, width)  # C.11.2.1.3.2


def _ramp(values: Values, middle: float, span: float) -> Values:
    """0 up to `middle - span / 2`, 65535 past `middle + span / 2`, linear between, (n,).

    `span` 0 is a threshold, as a LINEAR window of width 1 is.
    """
    above = values > middle + span / 2
    inside = (values > middle - span / 2) & ~above
    display: Values = np.where(above, float(DISPLAY_TOP), 0.0)
    part = (values[inside] - middle) / span + 0.5
    display[inside] = np.clip(part, 0, 1) * DISPLAY_TOP  # near 1e15 the ends above are coarse
    return display


def _look_up(values: Values, lut: Lut) -> Values:
    """The entry of each value, (n,) in 0 ... 2**bits - 1.

    A fractional value takes the entry of the nearest integer. An entry above the declared range
    counts as its top.
    """
    entries: Values = np.minimum(lut.values, 2**lut.bits - 1).astype(np.float64)
    index = np.clip(_nearest(values) - lut.first, 0, len(entries) - 1)
    return entries[index.astype(np.intp)]


def _nearest(values: Values) -> Values:
    """The nearest integers, (n,); within 5e-7 of halfway, the even one."""
    rounded: Values = np.rint(np.round(values, _TIE_DECIMALS))
    return rounded


def _usable(item: Window | Lut, function: VoiFunction) -> bool:
    """Whether the standard gives the window or LUT a meaning (PS3.3 C.11.1.1.1, C.11.2.1)."""
    if isinstance(item, Lut):
        return len(item.data) > 0 and len(item.data) % 2 == 0 and 1 <= item.bits <= 16
    wide_enough = item.width >= 1 if function == "LINEAR" else item.width > 0
    return wide_enough and math.isfinite(item.center) and math.isfinite(item.width)


def _extent(item: Window | Lut) -> float:
    """How much of the input range an item spans: width, or number of entries."""
    return len(item.data) / 2 if isinstance(item, Lut) else item.width


def _nth(offered: tuple[Window | Lut, ...], usable: list[Window | Lut], index: int) -> Window | Lut:
    """The item at `index`; RejectError(VOI) if there is none or it is unusable."""
    if index < len(offered) and offered[index] in usable:
        return offered[index]
    kind = "VOI LUTs" if isinstance(offered[0], Lut) else "windows"
    raise RejectError(
        Reason.VOI,
        f"index {index} was asked of {len(offered)} {kind}, {len(usable)} of them usable; "
        "pick a lower index, 'first' or 'widest'",
    )


def _range_suspect(lut: Lut) -> bool:
    """Whether entries disagree with the declared bits: beyond them, or all in the lower half.

    Some vendors put the allocated size into the descriptor's third value.
    """
    return not 2 ** (lut.bits - 1) <= int(lut.values.max()) < 2**lut.bits


def _padding_suspect(grayscale: Grayscale) -> bool:
    """Whether padding takes more than half of all values: a wrong header, so it is not applied."""
    if grayscale.padding is None:
        return False
    low, high = _stored_range(grayscale)
    first, last = grayscale.padding
    return min(last, high) - max(first, low) + 1 > (high - low + 1) / 2
