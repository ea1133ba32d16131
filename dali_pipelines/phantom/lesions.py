"""Masses and calcification clusters: drawn once per breast, then added to each view's map.

A lesion has one place in the breast, so both views show it at the same depth.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from scipy.special import expit

from dali_pipelines.phantom.anatomy import Grid, Outline, View
from dali_pipelines.phantom.texture import Field

LesionKind = Literal["mass", "calcification"]

SHARPEST_PX: Final = 1.0  # a narrower speck would fall between pixel centers


@dataclass(frozen=True, slots=True)
class Lesion:
    """What lies where. `depth` is 0 at the chest wall, 1 at the nipple.

    `aside` is (lateral-medial for CC, upper-lower for MLO), each -1..1 of the half width at that
    depth. `radius_mm` is a mass's mean radius or a cluster's reach, `contrast` in attenuation.
    `specks` is how many a cluster has.
    """

    kind: LesionKind
    depth: float
    aside: tuple[float, float]
    radius_mm: float
    contrast: float
    specks: int = 0

    def center_mm(self, outline: Outline, view: View) -> tuple[float, float]:
        """(y, x) of the center in this view."""
        return outline.at(self.depth, self.aside[0 if view == "CC" else 1])


@dataclass(frozen=True, slots=True)
class Patch:
    """The part of a raster around a point: `rows` and `columns` to slice, and offsets in mm."""

    rows: slice
    columns: slice
    y_mm: Field
    x_mm: Field


def draw_lesion(rng: np.random.Generator, kind: LesionKind) -> Lesion:
    """A random lesion of this kind, away from the skin and the chest wall."""
    aside = (float(rng.uniform(-0.55, 0.55)), float(rng.uniform(-0.20, 0.50)))
    depth = float(rng.uniform(0.35, 0.75))
    if kind == "mass":
        return Lesion(kind, depth, aside, rng.uniform(6.5, 12.0), rng.uniform(0.28, 0.40))
    reach, contrast, specks = rng.uniform(3.5, 7.0), rng.uniform(0.45, 0.65), rng.integers(8, 21)
    return Lesion(kind, depth, aside, reach, contrast, int(specks))


def add_lesion(
    rng: np.random.Generator,
    attenuation: Field,
    grid: Grid,
    lesion: Lesion,
    center_mm: tuple[float, float],
) -> None:
    """Add the lesion to `attenuation` (rows, columns) in place, inside the breast only."""
    if lesion.kind == "mass":
        _add_mass(rng, attenuation, grid, lesion, center_mm)
        return
    for _ in range(lesion.specks):
        y, x = (center + rng.normal(0, lesion.radius_mm / 2.2) for center in center_mm)
        contrast = lesion.contrast * rng.uniform(0.6, 1)
        add_speck(attenuation, grid, (y, x), rng.uniform(0.25, 0.60), contrast)


def add_speck(
    attenuation: Field,
    grid: Grid,
    center_mm: tuple[float, float],
    radius_mm: float,
    contrast: float,
) -> None:
    """Add one calcification, a bright dot with soft edges, in place."""
    width = max(radius_mm, SHARPEST_PX * grid.spacing_mm)
    patch = _patch(grid, center_mm, 3 * width)
    dot = np.exp(-(patch.y_mm**2 + patch.x_mm**2) / np.float32(width) ** 2)
    _add(attenuation, patch, np.float32(contrast) * dot)


def _add_mass(
    rng: np.random.Generator,
    attenuation: Field,
    grid: Grid,
    lesion: Lesion,
    center_mm: tuple[float, float],
) -> None:
    """A soft blob with a wavy contour, and spicules that fade out over half a radius."""
    patch = _patch(grid, center_mm, 2.4 * lesion.radius_mm)
    angle = np.arctan2(patch.y_mm, patch.x_mm)
    contour = np.ones_like(angle)
    for order in range(2, 7):
        amplitude, phase = rng.normal(0, 0.22 / order), rng.uniform(0, 2 * np.pi)
        contour += np.float32(amplitude) * np.cos(order * angle + np.float32(phase))
    contour = np.clip(contour, 0.5, 1.5) * np.float32(lesion.radius_mm)
    distance = np.hypot(patch.y_mm, patch.x_mm)
    body = expit((1 - distance / contour) / np.float32(0.11))
    reach = np.exp(-np.maximum(distance / contour - 0.8, 0) / np.float32(0.35))
    spicules = np.zeros_like(angle)
    for direction in rng.uniform(-np.pi, np.pi, int(rng.integers(8, 16))):
        turn = np.angle(np.exp(1j * (angle - direction))).astype(np.float32)
        spicules = np.maximum(spicules, np.exp(-((turn * distance / np.float32(0.7)) ** 2)))
    _add(attenuation, patch, np.float32(lesion.contrast) * np.maximum(body, 0.6 * spicules * reach))


def _patch(grid: Grid, center_mm: tuple[float, float], reach_mm: float) -> Patch:
    limits = []
    for center, size in zip(center_mm, grid.shape, strict=True):
        first = int(np.clip((center - reach_mm) / grid.spacing_mm, 0, size))
        last = int(np.clip((center + reach_mm) / grid.spacing_mm + 1, 0, size))
        limits.append(slice(first, last))
    y, x = grid.axes()
    rows, columns = limits
    y_mm = y[rows] - np.float32(center_mm[0])
    return Patch(rows, columns, y_mm, x[:, columns] - np.float32(center_mm[1]))


def _add(attenuation: Field, patch: Patch, amount: Field) -> None:
    part = attenuation[patch.rows, patch.columns]
    part += np.where(part > 0, amount, 0)
    np.minimum(part, 1, out=part)
