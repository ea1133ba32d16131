"""What a recipe says of the grayscale: which of the header's views is taken, and how."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

WANTED: Final = {"auto": "window or VOI LUT", "window": "window", "lut": "VOI LUT"}


@dataclass(frozen=True, slots=True)
class Voi:
    """Which of the header's views of an image to take; a part of the recipe.

    A header may offer several windows and several VOI LUTs, all of them alternatives (PS3.3
    C.8.11.3.1.5). `use` names the kind; "auto" takes a LUT if there is a usable one, else a
    window; "none" is linear over what the modality step can put out. "stored" is no view at all:
    the values as they are stored, 0 ... 2**bits - 1 and not spread over the display range, signed
    ones raised by 2**(bits - 1), without modality step and padding. `pick` chooses among the kind:
    the first usable, the widest (largest width, or most entries; the first of equals), or the n-th
    as the header lists them, from 0. `fallback` says what becomes of an image that has none of the
    wanted kind: as by "none", a reject, or "min-max", as by "stored" and then spread from its least
    value to its greatest (`shading.py`).

    `polarity` "as-stored" shows MONOCHROME1 as if it were MONOCHROME2. `padding` "ignored" shows
    padding values like any other, as most published preparations do. `precision` "float16" rounds
    center and width to that type first, as far as it reaches (65504): a bug of the RSNA 2023
    winner's, above 2048 a step of 2 and more, that their weights were made with.

    `luts_of` is a text that Manufacturer must contain for the header's LUTs to count, "" for any.
    `lut_range` "full" spreads a LUT of p bits over 0 ... 65535, "shifted" multiplies its entries by
    2**(16 - p), so that white is up to 2**-p of the range darker. Mirai does both, with "GE".
    """

    use: Literal["auto", "window", "lut", "none", "stored"] = "auto"
    pick: Literal["first", "widest"] | int = "first"
    fallback: Literal["identity", "reject", "min-max"] = "identity"
    polarity: Literal["header", "as-stored"] = "header"
    padding: Literal["header", "ignored"] = "header"
    precision: Literal["float64", "float16"] = "float64"
    luts_of: str = ""
    lut_range: Literal["full", "shifted"] = "full"

    def __post_init__(self) -> None:
        if isinstance(self.pick, int) and self.pick < 0:
            raise ValueError(f"pick must be 'first', 'widest' or an index from 0, not {self.pick}")

    def used(self) -> Mapping[str, Any]:
        """The values that can change a pixel."""
        used: dict[str, Any] = {"use": self.use, "polarity": self.polarity}
        if self.use in WANTED:
            used |= {"pick": self.pick, "fallback": self.fallback}
        if self.use != "stored":
            used["padding"] = self.padding
        if self.use in {"auto", "window"}:
            used["precision"] = self.precision
        if self.use in {"auto", "lut"}:
            used |= {"luts_of": self.luts_of, "lut_range": self.lut_range}
        return used
