"""The grayscale table: the display value of every stored value, to the letter of PS3.3 C.11.

Stands between decode and ROI. Sign, padding, modality, VOI and polarity are all point functions
of at most 16 bits, so they become one table, built here in float64; `cpu/window.py` and its GPU
twin only gather from it and so agree bit for bit.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.grayscale_checks import padding_suspect, stored_range, usable
from dali_pipelines.grayscale_curves import (
    DISPLAY_TOP,
    Values,
    apply_window,
    look_up,
    nearest,
    ramp,
)
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import WANTED, Voi

_CACHED_TABLES: Final = 256  # of at most 128 KiB each: 32 MiB


@lru_cache(maxsize=_CACHED_TABLES)
def display_table(grayscale: Grayscale, voi: Voi) -> NDArray[np.uint16]:
    """Display values (2**bits,) uint16, 0 black ... 65535 white; entry k is of bit pattern k.

    Those of `display_values`, rounded by `nearest`. The array is shared and read-only.
    RejectError: as `display_values`.
    """
    table = nearest(display_values(grayscale, voi)).astype(np.uint16)
    table.setflags(write=False)
    return table


def display_values(grayscale: Grayscale, voi: Voi) -> Values:
    """Display values (2**bits,) float64 in 0 ... 65535, not rounded; entry k is of bit pattern k.

    Padding is black whatever the polarity, but is not believed if it takes more than half of all
    values, or if `voi.padding` is "ignored". Without window and LUT the display is linear over what
    the modality step can put out (`_modality`); values beyond take the nearest end. Where the
    stored values are shown (`shows_stored`) nothing of this is done: they are in 0 ... 2**bits - 1,
    turned over within that range where the polarity is inverted.
    RejectError: no usable modality step (RESCALE, LUT), or not the wanted VOI (VOI).
    """
    chosen = choose_voi(grayscale, voi)
    stored = _stored_values(grayscale)
    invert = grayscale.invert and voi.polarity == "header"
    if shows_stored(grayscale, voi):
        raised: Values = (stored - stored.min()).astype(np.float64)
        return (2**grayscale.bits - 1) - raised if invert else raised
    with np.errstate(over="ignore"):  # infinity takes the right end of every step below
        values, low, high = _modality(stored, grayscale)
        if chosen is None:
            display = ramp(values, low / 2 + high / 2, high - low)
        elif isinstance(chosen, Lut):
            display = _spread(look_up(values, chosen), chosen, voi)
        else:
            display = apply_window(values, _rounded(chosen, voi), grayscale.function)
    if invert:
        display = DISPLAY_TOP - display  # (ymin + ymax) - y, PS3.3 C.11.6.1.2
    believed = voi.padding == "header" and not padding_suspect(grayscale)
    if grayscale.padding is not None and believed:
        first, last = grayscale.padding
        display[(stored >= first) & (stored <= last)] = 0
    return display


def shows_stored(grayscale: Grayscale, voi: Voi) -> bool:
    """Whether `display_table` holds stored values: as asked, or by the fallback "min-max".

    RejectError: as `choose_voi`.
    """
    if voi.use == "stored":
        return True
    falls_back = voi.use in WANTED and voi.fallback == "min-max"
    return falls_back and choose_voi(grayscale, voi) is None


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
    if not offered and not (why := WANTED.get(voi.use)):
        return f"{'stored values' if voi.use == 'stored' else 'identity'}: as asked"
    if not offered:
        spread = "stored values from the least to the greatest"
        taken = spread if voi.fallback == "min-max" else "identity"
        return f"{taken}: the header has no usable {why}"
    chosen, place = offered[index], f"{index + 1} of {len(offered)}"
    if isinstance(chosen, Lut):
        return f"VOI LUT {place}: {len(chosen.values)} entries of {chosen.bits} bits"
    window = _rounded(chosen, voi)
    numbers = f"center {window.center:.10g}, width {window.width:.10g}"
    return f"window {place}: {numbers}, {grayscale.function}"


def _choice(grayscale: Grayscale, voi: Voi) -> tuple[tuple[Window | Lut, ...], int]:
    """The alternatives of the kind that is taken, and which of them; ((), 0) for identity."""
    kinds: dict[str, tuple[tuple[Window | Lut, ...], ...]] = {
        "auto": (grayscale.voi_luts, grayscale.windows),
        "lut": (grayscale.voi_luts,),
        "window": (grayscale.windows,),
    }
    for offered in kinds.get(voi.use, ()):
        places = [k for k, item in enumerate(offered) if usable(item, grayscale.function)]
        if places and isinstance(voi.pick, int):
            return offered, _require_place(offered, places, voi.pick)
        if places and voi.pick == "first":
            return offered, places[0]
        if places:
            return offered, max(places, key=[_extent(item) for item in offered].__getitem__)
    if voi.use not in WANTED or voi.fallback != "reject":
        return (), 0
    raise RejectError(
        Reason.VOI,
        f"the header has no usable {WANTED[voi.use]}; choose another `use` or allow identity",
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
        return look_up(stored.astype(np.float64), lut), 0.0, 2.0**lut.bits - 1
    slope, intercept = grayscale.slope, grayscale.intercept
    low, high = sorted(slope * end + intercept for end in stored_range(grayscale))
    if not (low < high and math.isfinite(high - low)):
        raise RejectError(
            Reason.RESCALE,
            f"rescale slope {slope} and intercept {intercept} leave no finite range of values; "
            "correct the header",
        )
    return stored.astype(np.float64) * slope + intercept, low, high


def _spread(entries: Values, lut: Lut, voi: Voi) -> Values:
    """Entries of a LUT, (n,) in 0 ... 2**bits - 1, as display values."""
    if voi.lut_range == "shifted":
        return entries * float(1 << (16 - lut.bits))
    return entries * DISPLAY_TOP / float(2**lut.bits - 1)


def _rounded(window: Window, voi: Voi) -> Window:
    """The window with the precision that the recipe asks for."""
    if voi.precision == "float64":
        return window
    with np.errstate(over="ignore"):
        center, width = (float(np.float16(value)) for value in (window.center, window.width))
    return Window(
        center if math.isfinite(center) else window.center,
        width if 0 < width < math.inf else window.width,
    )


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
