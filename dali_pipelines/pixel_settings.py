"""What a recipe says of the steps around the ROI: how much is decoded, the stretch, the resize.

Each class tells by `used` which of its values can change a pixel, for the hash of the recipe.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How much of an image is decoded and kept.

    `reduce` leaves out that many of the finest wavelet levels of JPEG 2000 or HTJ2K (or as many as
    it has): each halves height and width and saves three quarters of the work. "auto" leaves out
    the most that still gives the box at least the size it takes up in the output. The image is then
    a low-pass sample and no area mean, so it is not the same picture: 0, all of it, is the default.
    Other codestreams are always decoded whole. `cut` px are cut off each side before anything is
    measured, as far as that leaves one px: several published recipes drop the detector's edge.
    """

    reduce: Literal["auto", 0, 1, 2, 3] = 0
    cut: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.cut <= 1000:
            raise ValueError(f"decode.cut must lie in 0 ... 1000 px, not {self.cut}")

    def used(self) -> Mapping[str, Any]:
        """The values that can change a pixel."""
        return {"reduce": self.reduce, "cut": self.cut}


@dataclass(frozen=True, slots=True)
class StretchSettings:
    """Spread each image's own display values over the whole range, after its grayscale table.

    `use` "percentiles": the values at ranks ceil(low / 100 * n) and ceil(high / 100 * n) of all n
    px, at least the first, become black and white; 0 and 100 are minimum and maximum. `rounding`
    is to the nearest of 65,536 levels, halves up, or down, as by a cast to integers.

    `curve` "sigmoid" takes black and white, 0 and 100 only, for a window of center
    (black + white + 1) / 2 and width white - black + 1 under PS3.3 C.11.2.1.3.1, which leaves
    0.119 ... 0.881 of the range; "header" does so where the header's VOI LUT Function is SIGMOID,
    as Mirai's converter does. `bits` 8 keeps level value // 257 of 256, as a cast of the image to
    uint8 does; level k is the display value 257 k.
    """

    use: Literal["none", "percentiles"] = "none"
    low: float = 0.0
    high: float = 100.0
    rounding: Literal["nearest", "down"] = "nearest"
    curve: Literal["linear", "sigmoid", "header"] = "linear"
    bits: Literal[8, 16] = 16

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"wanted 0 <= low < high <= 100, not {self.low} and {self.high}")
        if self.curve != "linear" and not self.to_extremes:
            raise ValueError(f"stretch.curve {self.curve!r} goes with low: 0 and high: 100 only")

    @property
    def to_extremes(self) -> bool:
        """Whether the least and the greatest value are what becomes black and white."""
        return (self.low, self.high) == (0, 100)

    def ranks(self, count: int) -> tuple[int, int]:
        """The ranks, from 1, of the two values among `count` that become black and white."""
        return (
            max(1, math.ceil(self.low / 100 * count)),
            max(1, math.ceil(self.high / 100 * count)),
        )

    def used(self, fallback: bool = False) -> Mapping[str, Any]:
        """The values that can change a pixel; `fallback`: some images are spread in any case."""
        used: dict[str, Any] = {"use": self.use, "bits": self.bits}
        if self.use != "none":
            used |= {"low": self.low, "high": self.high}
        if self.use != "none" or fallback:
            used |= {"rounding": self.rounding, "curve": self.curve}
        return used


@dataclass(frozen=True, slots=True)
class ResizeSettings:
    """The shape and range of what the network sees.

    `size` is (H, W) px. `fit` says how the box comes to fill it:

    - "pad" keeps the aspect and pads with black afterwards;
    - "pad-first" widens the box with black to the aspect of `size`, then resizes all of it;
    - "width" keeps the aspect at the full width, cuts what is too high, evenly, or pads it;
    - "keep" keeps each px; a larger box is cut, a smaller one padded;
    - "stretch" fills the frame.

    What keeps the aspect is rounded down to whole px. `align` "left" pads and cuts at the right
    and, evenly, above and below ("pad-first" by as many rows); "center" evenly on all sides.
    `filter` "area" averages over the area of each output px where it shrinks and is linear where it
    enlarges; "linear" interpolates between the two nearest px centers also where it shrinks (no
    antialias, as OpenCV's INTER_LINEAR); "triangle" is the linear filter widened by the factor of
    shrinking (as Pillow's BILINEAR).

    `bits` 8 or 16 then rounds to that many levels, `rounding` to the nearest (even) or down, where
    what is less than 1/32 of a display value short of a level counts as that level; None leaves
    float32. `per_image` "min-max" spreads each image over 0 ... 1 (one of a single value
    becomes 0), and `per_image_bits` 8 then rounds that down to 256 levels, as by a cast to uint8;
    "standardize" makes its mean 0 and its deviation 1 (at least 1e-5 of the range), both of its
    values rounded to 65,536 levels. Both are over all of the output; "none" leaves display values
    0 ... 1. Last, they become (value - mean) / std, in float32, rounded to the nearest (even) of
    `dtype`; `mean` and `std` are one number or one for each channel.
    """

    size: tuple[int, int] = (1536, 768)
    fit: Literal["pad", "pad-first", "width", "keep", "stretch"] = "pad"
    align: Literal["left", "center"] = "left"
    filter: Literal["area", "linear", "triangle"] = "area"
    bits: Literal[8, 16] | None = None
    rounding: Literal["nearest", "down"] = "nearest"
    per_image: Literal["none", "min-max", "standardize"] = "none"
    per_image_bits: Literal[8] | None = None
    mean: float | tuple[float, float, float] = 0.5
    std: float | tuple[float, float, float] = 0.5
    channels: Literal[1, 3] = 1
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def __post_init__(self) -> None:
        if min(self.size) < 1 or max(self.size) > 1 << 14:
            raise ValueError(f"resize.size must lie in 1 ... 16384, not {list(self.size)}")
        if min(self.stds) <= 0:
            raise ValueError(f"resize.std must be above 0, not {self.std}")
        for name in ("mean", "std"):
            if isinstance(getattr(self, name), tuple) and self.channels == 1:
                raise ValueError(f"resize.{name} has three numbers, and resize.channels is 1")

    @property
    def means(self) -> tuple[float, ...]:
        """The mean of each channel."""
        return self.mean if isinstance(self.mean, tuple) else (self.mean,) * self.channels

    @property
    def stds(self) -> tuple[float, ...]:
        """The standard deviation of each channel."""
        return self.std if isinstance(self.std, tuple) else (self.std,) * self.channels

    def used(self) -> Mapping[str, Any]:
        """The values that can change a pixel."""
        # Display values are whole numbers: where none are mixed, 16 bits change nothing.
        bits = None if self.fit == "keep" and self.bits == 16 else self.bits
        return {
            "size": list(self.size),
            "fit": self.fit,
            **({"align": self.align} if self.fit not in {"stretch", "width"} else {}),
            **({"filter": self.filter} if self.fit != "keep" else {}),
            "bits": bits,
            **({"rounding": self.rounding} if bits else {}),
            "per_image": self.per_image,
            **({"per_image_bits": self.per_image_bits} if self.per_image == "min-max" else {}),
            "mean": list(self.means),
            "std": list(self.stds),
            "channels": self.channels,
            "dtype": self.dtype,
        }
