"""Noise fields from a counter hash: each number follows from a key and its place alone."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.upload import upload

_MASK: Final = 0xFFFFFFFF
# A hash of 32 bits by C. Wellons' search for low bias ("hash-prospector", 0.107 in its measure). Of
# the good pairs of factors it is one below 2**31: no product leaves the range of int64.
_FACTORS: Final = (0x21F0AAAD, 0x735A2D97)


def hashed(keys: torch.Tensor, count: int) -> torch.Tensor:
    """Numbers (N, count) int64 in [0, 2**32), a row for each of `keys` (N,) int64 in that range."""
    places = torch.arange(count, dtype=torch.int64, device=keys.device)
    return _mix(_mix(places) ^ keys[:, None])


def normal_field(keys: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Planes (N, 1, H, W) float32 of standard normal noise, by Box and Muller; |z| < 4.9.

    Each px takes one hash: 16 bits for its radius, 16 for its angle.
    """
    bits = hashed(keys, height * width).reshape(-1, 1, height, width)
    angle = (bits & 0xFFFF).float().mul_(2 * torch.pi / 65536).cos_()
    radius = (bits >> 16).float().add_(0.5).div_(65536).log_().mul_(-2).sqrt_()
    return radius.mul_(angle)


def upload_keys(draws: NDArray[np.float64], device: torch.device) -> torch.Tensor:
    """Keys (N,) int64 for `hashed` from `draws` (N,) in [0, 1)."""
    return upload(np.floor(draws * 2**32), torch.int64, device)


def _mix(values: torch.Tensor) -> torch.Tensor:
    values = values ^ (values >> 16)
    values.mul_(_FACTORS[0]).bitwise_and_(_MASK)
    values.bitwise_xor_(values >> 15)
    values.mul_(_FACTORS[1]).bitwise_and_(_MASK)
    return values.bitwise_xor_(values >> 15)
