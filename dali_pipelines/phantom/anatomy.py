"""One compressed breast in one view as an attenuation map: 0 is air, about 1 the densest tissue.

Lengths are in mm, x from the chest wall at the left edge toward the nipple, y downward from the
top row. A right breast is drawn like a left one and mirrored later. Lesions come from lesions.py.
"""

import dataclasses
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import expit

from dali_pipelines.phantom.texture import Field, power_law

Density = Literal["A", "B", "C", "D"]
View = Literal["CC", "MLO"]

# Share of the breast area that is fibroglandular: fatty, scattered, heterogeneous, extreme.
DENSE_SHARE: Final[dict[Density, tuple[float, float]]] = {
    "A": (0.03, 0.10),
    "B": (0.12, 0.25),
    "C": (0.30, 0.50),
    "D": (0.60, 0.80),
}
FAT, GLAND, MUSCLE = 0.30, 0.52, 0.50  # attenuation of the tissues


@dataclass(frozen=True, slots=True)
class Grid:
    """A raster of `rows` x `columns` square pixels of `spacing_mm`."""

    rows: int
    columns: int
    spacing_mm: float

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.rows, self.columns

    def axes(self) -> tuple[Field, Field]:
        """Pixel centers in mm: y (rows, 1) and x (1, columns)."""
        y = (np.arange(self.rows, dtype=np.float32) + np.float32(0.5)) * np.float32(self.spacing_mm)
        x = (np.arange(self.columns, dtype=np.float32) + np.float32(0.5)) * np.float32(
            self.spacing_mm
        )
        return y[:, None], x[None, :]


@dataclass(frozen=True, slots=True)
class Outline:
    """The breast's border in one view: two quarter ellipses that meet at the nipple's row.

    `depth_mm` is from chest wall to nipple, `up_mm` and `down_mm` the half axes along the chest
    wall. `pectoral_mm` is the muscle's (width at the top edge, height at the left edge) or None.
    """

    nipple_mm: float
    depth_mm: float
    up_mm: float
    down_mm: float
    pectoral_mm: tuple[float, float] | None = None

    def at(self, depth: float, aside: float) -> tuple[float, float]:
        """(y, x) in mm of a point at `depth` 0..1 to the nipple and `aside` -1..1 from its row.

        `aside` is in units of the half width of the breast at that depth.
        """
        half = self.up_mm if aside < 0 else self.down_mm
        return (
            self.nipple_mm + aside * half * (1 - depth**2) ** 0.5,
            self.depth_mm * depth,
        )

    def varied(self, rng: np.random.Generator) -> "Outline":
        """Nearly the same outline: the other breast of the same woman."""
        return dataclasses.replace(
            self,
            nipple_mm=self.nipple_mm + rng.uniform(-3, 3),
            depth_mm=self.depth_mm * rng.uniform(0.97, 1.03),
        )


def draw_outline(rng: np.random.Generator, view: View, field_mm: tuple[float, float]) -> Outline:
    """A random outline that leaves room for the label in a field of (height, width) mm.

    A generator in the same state gives the same depth for either view.
    """
    height, width = field_mm
    depth = min(width * rng.uniform(0.48, 0.70), 0.6 * height)
    if view == "CC":
        half = height * rng.uniform(0.32, 0.43)
        return Outline(height * rng.uniform(0.46, 0.54), depth, half, half * rng.uniform(0.94, 1))
    nipple = height * rng.uniform(0.54, 0.62)
    muscle = (width * rng.uniform(0.20, 0.34), height * rng.uniform(0.45, 0.62))
    return Outline(nipple, depth, nipple * 1.2, height * rng.uniform(0.27, 0.34), muscle)


def draw_tissue(
    rng: np.random.Generator, grid: Grid, outline: Outline, dense_share: float
) -> Field:
    """Attenuation (rows, columns) float32; exactly 0 outside of the breast."""
    y, x = grid.axes()
    inside_mm = _depth_below_skin(y, x, outline)
    coarse = power_law(rng, grid.shape, 3.4, 50 / grid.spacing_mm)
    fine = power_law(rng, grid.shape, 2.4, 12 / grid.spacing_mm)
    gland = _glandular(coarse, fine, inside_mm, (y, x), outline, dense_share)
    tissue = FAT + np.float32(0.025) * coarse + np.float32(0.012) * fine + (GLAND - FAT) * gland
    if outline.pectoral_mm is not None:
        muscle = _pectoral(y, x, outline.pectoral_mm)
        brightness = MUSCLE + np.float32(0.02) * (coarse + fine) - np.float32(0.0007) * (x + y)
        tissue += muscle * (brightness - tissue)
    skin = np.float32(0.10) * np.exp(-(((inside_mm - 1) / 0.8) ** 2))
    tissue = np.clip(tissue, 0.12, 1) * _thickness(inside_mm) + skin
    nipple = _nipple(y, x, outline)
    tissue = np.maximum(np.where(inside_mm > 0, tissue, 0), np.float32(0.42) * nipple)
    return np.asarray(tissue, np.float32)


def _depth_below_skin(y: Field, x: Field, outline: Outline) -> Field:
    """Distance to the skin line in mm, to first order; negative in air."""
    along = y - np.float32(outline.nipple_mm)
    half = np.where(along < 0, outline.up_mm, outline.down_mm).astype(np.float32)
    depth = np.float32(outline.depth_mm)
    radius = np.sqrt((along / half) ** 2 + (x / depth) ** 2)
    slope = np.sqrt((along / half**2) ** 2 + (x / depth**2) ** 2) / np.maximum(radius, 1e-6)
    return np.asarray((1 - radius) / np.maximum(slope, 1 / (2 * depth)), np.float32)


def _thickness(inside_mm: Field) -> Field:
    """Relative thickness: a rounded edge over the outermost 14 mm, then flat."""
    edge = np.clip(1 - inside_mm / np.float32(14), 0, 1)
    return np.asarray(0.25 + 0.75 * np.sqrt(1 - edge**2), np.float32)


def _glandular(
    coarse: Field,
    fine: Field,
    inside_mm: Field,
    axes: tuple[Field, Field],
    outline: Outline,
    dense_share: float,
) -> Field:
    """Fibroglandular fraction 0..1, gathered behind the nipple and away from skin and chest."""
    y, x = axes
    far = ((y - outline.nipple_mm) / (0.55 * outline.up_mm)) ** 2
    far = far + ((x - 0.55 * outline.depth_mm) / (0.40 * outline.depth_mm)) ** 2
    score = coarse + np.float32(0.15) * fine - np.float32(0.9) * far
    breast = inside_mm > 0
    limit = np.float32(np.quantile(score[breast], 1 - dense_share) if breast.any() else 0)
    dense = expit((score - limit) / np.float32(0.34))
    strands = np.exp(-((fine / np.float32(0.22)) ** 2)) * np.float32(0.16)
    interior = np.clip((inside_mm - 4) / 10, 0, 1)
    textured = dense * (np.float32(0.85) + np.float32(0.13) * fine) + strands
    return np.asarray(np.clip(textured, 0, 1.15) * interior, np.float32)


def _pectoral(y: Field, x: Field, size_mm: tuple[float, float]) -> Field:
    """The muscle as a wedge 0..1 in the upper corner, its edge bulging a little, 3 mm soft."""
    width, height = size_mm
    share = np.clip(y / height, 0, 1)
    edge = width * (1 - share) * (1 + 0.25 * share)
    wedge = expit((edge - x) / 1.5)
    return np.asarray(wedge * (y < height), np.float32)


def _nipple(y: Field, x: Field, outline: Outline) -> Field:
    far = ((y - outline.nipple_mm) / 5.0) ** 2 + ((x - outline.depth_mm + 2) / 6.0) ** 2
    return np.asarray(np.sqrt(np.clip(1 - far, 0, 1)), np.float32)
