"""Random fields (H, W) float32 that look like tissue, and their enlargement to detector size."""

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Field = NDArray[np.float32]


def power_law(
    rng: np.random.Generator, shape: tuple[int, int], exponent: float, longest_px: float
) -> Field:
    """Gaussian noise whose power falls as 1 / frequency^exponent; mean 0, deviation 1.

    Structures longer than `longest_px` are no stronger than those of that length. Breast tissue
    has an exponent near 3: Burgess, Med Phys 28 (2001), 419-437.
    """
    spectrum = scipy.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    down = scipy.fft.fftfreq(shape[0]).astype(np.float32)[:, None]
    across = scipy.fft.rfftfreq(shape[1]).astype(np.float32)[None, :]
    squared = np.maximum(down**2 + across**2, np.float32(longest_px) ** -2)
    spectrum *= squared ** np.float32(-exponent / 4)
    spectrum[0, 0] = 0
    field: Field = scipy.fft.irfft2(spectrum, s=shape)
    field /= max(float(field.std()), 1e-12)
    return field


def enlarge(field: Field, shape: tuple[int, int]) -> Field:
    """The field at `shape` by linear interpolation between pixel centers; edges are repeated."""
    if field.shape == shape:
        return field
    above, below, weight = _neighbors(field.shape[0], shape[0])
    tall = field[above] * (1 - weight[:, None]) + field[below] * weight[:, None]
    before, after, weight = _neighbors(field.shape[1], shape[1])
    return np.asarray(tall[:, before] * (1 - weight) + tall[:, after] * weight, np.float32)


def _neighbors(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Field]:
    position = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    lower = position.astype(np.intp)
    return lower, np.minimum(lower + 1, old - 1), (position - lower).astype(np.float32)
