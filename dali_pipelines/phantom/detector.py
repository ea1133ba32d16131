"""Attenuation map -> stored values, as one vendor's system would store them, with its window.

Brightness and contrast differ from patient to patient; the window follows them, but not exactly.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.phantom.texture import Field
from dali_pipelines.records import VoiFunction, Window

LOWEST, RANGE = 0.10, 0.78  # share of full scale of attenuation 0, and from there to attenuation 1
AIR: Final = 0.02  # share of full scale where there is no breast and no padding value
MARKER: Final = 0.985
NOISE: Final = 0.006  # deviation, in attenuation
WIDTHS: Final = (1.0, 0.8, 1.25, 1.6)  # of the windows on offer: normal, harder, softer, softest


@dataclass(frozen=True, slots=True)
class Vendor:
    """A fictitious maker and what its files are like; `windows` is how many pairs they offer."""

    name: str
    model: str
    precision: int
    photometric: Literal["MONOCHROME1", "MONOCHROME2"]
    function: VoiFunction | None
    windows: int
    padded: bool

    @property
    def full(self) -> int:
        """The largest stored value."""
        return (1 << self.precision) - 1

    @property
    def padding(self) -> int | None:
        """Stored value of the background: black, so the largest for MONOCHROME1."""
        if not self.padded:
            return None
        return self.full if self.photometric == "MONOCHROME1" else 0

    def at(self, precision: int) -> "Vendor":
        """The same maker with images of other bits."""
        return dataclasses.replace(self, precision=precision)


VENDORS: Final = (
    Vendor("Phantom A", "A-12", 12, "MONOCHROME2", None, 1, True),
    Vendor("Phantom B", "B-14", 14, "MONOCHROME1", "SIGMOID", 3, True),
    Vendor("Phantom C", "C-16", 16, "MONOCHROME2", "LINEAR_EXACT", 1, True),
    Vendor("Phantom D", "D-10", 10, "MONOCHROME2", "LINEAR", 2, False),
    Vendor("Phantom E", "E-16", 16, "MONOCHROME1", "SIGMOID", 4, True),
    Vendor("Phantom F", "F-12", 12, "MONOCHROME1", "LINEAR", 1, False),
)


@dataclass(frozen=True, slots=True)
class Exposure:
    """A patient's own brightness: attenuation a becomes gain * a + offset."""

    gain: float
    offset: float


def draw_exposure(rng: np.random.Generator) -> Exposure:
    """A random brightness and contrast."""
    return Exposure(float(rng.uniform(0.82, 1.08)), float(rng.uniform(-0.03, 0.05)))


def expose(
    rng: np.random.Generator,
    attenuation: Field,
    marker: NDArray[np.bool_],
    vendor: Vendor,
    exposure: Exposure,
) -> NDArray[np.uint16]:
    """Stored values (H, W) with noise; `marker` (H, W) is where the label is burned in."""
    breast = attenuation > 0
    noise = rng.standard_normal(attenuation.shape, dtype=np.float32)
    signal = attenuation * np.float32(exposure.gain) + np.float32(exposure.offset)
    signal = (signal + noise * np.float32(NOISE)) * np.float32(RANGE) + np.float32(LOWEST)
    air = np.float32(0) if vendor.padded else np.float32(AIR) + noise * np.float32(0.002)
    signal = np.where(breast, np.maximum(signal, np.float32(0.03)), air)
    signal[marker] = MARKER
    stored = np.rint(np.clip(signal, 0, 1) * np.float32(vendor.full)).astype(np.uint16)
    inverted = vendor.photometric == "MONOCHROME1"
    return np.asarray(vendor.full - stored if inverted else stored, np.uint16)


def draw_windows(
    rng: np.random.Generator, vendor: Vendor, exposure: Exposure
) -> tuple[Window, ...]:
    """The window pairs of one image, in stored values: the tissue's range, a few percent off."""
    middle = 0.54 * exposure.gain + exposure.offset + rng.normal(0, 0.015)
    center = (LOWEST + RANGE * middle) * vendor.full
    if vendor.photometric == "MONOCHROME1":
        center = vendor.full - center
    width = 0.92 * exposure.gain * RANGE * vendor.full * rng.uniform(0.95, 1.08)
    return tuple(
        Window(round(center, 2), round(width * share, 2)) for share in WIDTHS[: vendor.windows]
    )
