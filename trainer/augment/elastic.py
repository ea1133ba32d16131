"""A smooth random field of displacements, made of few random numbers.

Noise smoothed by a Gaussian of sigma px is costly where sigma is large. Random numbers on a lattice
of sqrt(3) sigma px, joined by cubic B-splines, have the same correlation up to a few percent: that
of a cubic B-spline of step h is a B-spline of degree 7 and variance 2/3 h**2, that of a Gaussian
kernel is a Gaussian of variance 2 sigma**2.
"""

import math
from typing import Final

import torch

from trainer.augment.hashing import hashed

# Root mean square of lattice numbers uniform in [-1, 1] joined on both axes: sqrt(1/3) times the
# B-spline of degree 7 at its middle, 151/315.
_LATTICE_RMS: Final = math.sqrt(1 / 3) * 151 / 315


def displacements(
    keys: torch.Tensor, size: tuple[int, int], alpha: float, sigma: float
) -> torch.Tensor:
    """Fields (N, 2, H, W) float32: px to the right and px down, of mean 0.

    Their root mean square is that of noise uniform in [-1, 1], smoothed by a Gaussian of `sigma`
    px, times `alpha`. Two matrix products a field: 4 H W (H / step + 3) operations at most, and
    8 H W bytes written.
    """
    step = math.sqrt(3) * sigma
    down, across = (_splines(edge, step, keys.device) for edge in size)
    rows, columns = down.shape[1], across.shape[1]
    numbers = hashed(keys, 2 * rows * columns).reshape(-1, 2, rows, columns)
    rms = alpha / (sigma * math.sqrt(12 * math.pi))
    lattice = (numbers.float() * 2**-31 - 1) * (rms / _LATTICE_RMS)
    flat = lattice.reshape(
        -1, rows, columns
    )  # one product a plane, so that none depends on how many there are
    wide = torch.bmm(flat, across.T.expand(len(flat), -1, -1))
    field = torch.bmm(down.expand(len(flat), -1, -1), wide)
    return field.reshape(len(keys), 2, *size)


def _splines(edge: int, step: float, device: torch.device) -> torch.Tensor:
    """Weights (edge, knots) float32 of the knots for each px; each row adds up to 1."""
    knots = torch.arange(-1, math.floor((edge - 1) / step) + 3, device=device)
    places = torch.arange(edge, device=device) / step
    away = (places[:, None] - knots).abs()
    weights: torch.Tensor = (2 - away).relu().pow(3) / 6 - (1 - away).relu().pow(3) * (2 / 3)
    return weights
