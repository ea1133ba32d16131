"""The grayscale table: the display value of every stored value, to the letter of PS3.3 C.11.

Stands between decode and ROI. Sign, padding, modality, VOI and polarity are all point functions
of at most 16 bits, so they become one table, built here in float64; `cpu/window.py` and its GPU
twin only gather from it and so agree bit for bit.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.grayscale_checks import padding_suspect, stored_range, usable
from dali_pipelines.records import Grayscale, Lut, VoiFunction, Window
from dali_pipelines.verdicts import Reason, RejectError

DISPLAY_TOP: Final = 65535  # black is 0, white is this
_CACHED_TABLES: Final = 256  # of at most 128 KiB each: 32 MiB

# Headers hold decimal numbers. Float64 comes within 1e-9 of the decimal result on these scales, so
# with this rule a tie on paper is a tie here too, and does not fall as the last bit happens to.
_TIE_DECIMALS: Final = 6
_WANTED: Final = {"auto": "window or VOI LUT", "window": "window", "lut": "VOI LUT", "none": ""}

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

    def used(self) -> Mapping[str, Any]:
        """The values that can change a pixel."""
        chosen = {"pick": self.pick, "fallback": self.fallback}
        return {"use": self.use, **(chosen if self.use != "none" else {})}


@lru_cache(maxsize=_CACHED_TABLES)
def display_table(grayscale: Grayscale, voi: Voi) -> NDArray[np.uint16]:
    """Display values (2**bits,) uint16, 0 black ... 65535 white; entry k is of bit pattern k.

    Those of `display_values`, rounded by `_nearest`. The array is shared and read-only.
    RejectError: as `display_values`.
    """
    table = _nearest(display_values(grayscale, voi)).astype(np.uint16)
    table.setflags(write=False)
    return table


def display_values(grayscale: Grayscale, voi: Voi) -> Values:
    """Display values (2**bits,) float64 in 0 ... 65535, not rounded; entry k is of bit pattern k.

    Padding is black whatever the polarity, but is not believed if it takes more than half of all
    values. Without window and LUT the display is linear over what the modality step can put out
    (`_modality`); values beyond take the nearest end.
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
    if grayscale.padding is not None and not padding_suspect(grayscale):
        first, last = grayscale.padding
        display[(stored >= first) & (stored <= last)] = 0
    return display


def choose_voi(grayscale: Grayscale, voi: Voi) -> Window | Lut | None:
    """The window or VOI LUT that `display_table` uses; None: linear over the whole range.

    Unusable ones are passed over, unless `pick` asks for just that one. RejectError(VOI) where an
    index names none, or nothing is usable and `fallback` is "reject".
    """
    offered, index = _choice(grayscale, voi)
    return offered[index] if offered else None


def describe_voi(grayscale: Grayscale, voi: Voi) -> str:
    """What `choose_voi` takes, as a phrase of numbers; RejectError(VOI) as there.

    Such as "window 2 of 3: center 2048, width 4096, SIGMOID", "VOI LUT 1 of 2: 4096 entries of 12
    bits" or "identity: the header has no usable window". The header's own explanations are free
    text, which may name anyone, and are not read.
    """
    offered, index = _choice(grayscale, voi)
    if not offered:
        why = _WANTED[voi.use]
        return f"identity: the header has no usable {why}" if why else "identity: as asked"
    chosen, place = offered[index], f"{index + 1} of {len(offered)}"
    if isinstance(chosen, Lut):
        return f"VOI LUT {place}: {len(chosen.values)} entries of {chosen.bits} bits"
    numbers = f"center {chosen.center:.10g}, width {chosen.width:.10g}"
    return f"window {place}: {numbers}, {grayscale.function}"


def _choice(grayscale: Grayscale, voi: Voi) -> tuple[tuple[Window | Lut, ...], int]:
    """The alternatives of the kind that is taken, and which of them; ((), 0) for identity."""
    kinds: dict[str, tuple[tuple[Window | Lut, ...], ...]] = {
        "auto": (grayscale.voi_luts, grayscale.windows),
        "lut": (grayscale.voi_luts,),
        "window": (grayscale.windows,),
        "none": (),
    }
    for offered in kinds[voi.use]:
        places = [k for k, item in enumerate(offered) if usable(item, grayscale.function)]
        if places and isinstance(voi.pick, int):
            return offered, _require_place(offered, places, voi.pick)
        if places and voi.pick == "first":
            return offered, places[0]
        if places:
            return offered, max(places, key=[_extent(item) for item in offered].__getitem__)
    if voi.use == "none" or voi.fallback == "identity":
        return (), 0
    raise RejectError(
        Reason.VOI,
        f"the header has no usable {_WANTED[voi.use]}; choose another `use` or allow identity",
    )


def _stored_values(grayscale: Grayscale) -> NDArray[np.int64]:
    """The stored value of each bit pattern, (2**bits,)."""
    patterns = np.arange(2**grayscale.bits)
    sign_bit = 2 ** (grayscale.bits - 1)
    return (patterns ^ sign_bit) - sign_bit if grayscale.signed else patterns


def _modality(stored: NDArray[np.int64], grayscale: Grayscale) -> tuple[Values, float, float]:
    """Modality output of each stored value, and the least and largest output there can be.

    A LUT stands for the rescale and puts out 0 ... 2**bits - 1; a rescale puts out the image of
    the range of `bits_stored` bits, whose ends change places under a negative slope (PS3.3 C.11.1).
    """
    lut = grayscale.modality_lut
    if lut is not None:
        if not usable(lut, grayscale.function):
            raise RejectError(
                Reason.LUT,
                f"the modality LUT has {len(lut.data)} bytes of {lut.bits} bits, not 16-bit "
                "entries of 1 to 16 bits; without it the values mean nothing",
            )
        return _look_up(stored.astype(np.float64), lut), 0.0, 2.0**lut.bits - 1
    slope, intercept = grayscale.slope, grayscale.intercept
    low, high = sorted(slope * end + intercept for end in stored_range(grayscale))
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


def _extent(item: Window | Lut) -> float:
    """How much of the input range an item spans: width, or number of entries."""
    return len(item.data) / 2 if isinstance(item, Lut) else item.width


def _require_place(offered: tuple[Window | Lut, ...], places: list[int], index: int) -> int:
    """`index`, if it is among the usable `places`; else RejectError(VOI)."""
    if index in places:
        return index
    kind = "VOI LUTs" if isinstance(offered[0], Lut) else "windows"
    raise RejectError(
        Reason.VOI,
        f"index {index} was asked of {len(offered)} {kind}, {len(places)} of them usable; "
        "pick a lower index, 'first' or 'widest'",
    )
