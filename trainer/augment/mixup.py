"""Mixup: images and their labels as weighted means of two (Zhang et al., ICLR 2018)."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaincinv

from trainer.augment.draws import MIXUP, uniforms
from trainer.augment.texture_settings import MixupSettings
from trainer.upload import upload


def mix(
    images: torch.Tensor,
    targets: torch.Tensor,
    valid: torch.Tensor,
    settings: MixupSettings,
    seed: int,
    epoch: int,
    positions: NDArray[np.int64],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (N * V, C, H, W) and targets (N, T), of which some are mixed with another sample.

    `valid` (N,) or (N, V) bool on the CPU says which samples, or which of their V views, there are;
    `positions` (N,) where the samples are in the epoch. A sample mixes with one that has the same
    views, all of them by one weight, its own being the larger. Column 0 of the targets becomes the
    mean as well; in the others a value stays where both have it, and becomes unknown (NaN) where
    they differ. The other sample is of this rank's batch: another batch size, another partner.
    """
    views = valid.numpy().reshape(len(valid), -1)
    rows = np.flatnonzero(views.any(axis=1))
    if not settings.p or len(rows) < 2:
        return images, targets
    weights, partners = np.ones(len(valid)), np.arange(len(valid))
    drawn = uniforms(seed, epoch, positions[rows], MIXUP, 3)
    mixed = drawn[:, 0] < settings.p
    share = betaincinv(settings.alpha, settings.alpha, drawn[:, 1])
    away = 1 + np.floor(drawn[:, 2] * (len(rows) - 1)).astype(np.int64)
    others = rows[(np.arange(len(rows)) + away) % len(rows)]
    mixed &= (views[rows] == views[others]).all(axis=1)
    if not mixed.any():
        return images, targets
    weights[rows] = np.where(mixed, np.maximum(share, 1 - share), 1)
    partners[rows] = np.where(mixed, others, rows)
    own = upload(weights, torch.float32, images.device)
    other = upload(partners, torch.int64, images.device)
    with torch.no_grad():
        return _mixed_images(images, own, other), _mixed_targets(targets, own, other)


def _mixed_images(images: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    views = len(images) // len(own)
    weight = own.repeat_interleave(views)[:, None, None, None]
    each = torch.arange(views, device=images.device)
    partners = images[(other[:, None] * views + each).flatten()]
    return (images.float() * weight + partners.float() * (1 - weight)).to(images.dtype)


def _mixed_targets(targets: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    partners = targets[other]
    mixed = torch.where(targets == partners, targets, torch.nan)
    mixed[:, 0] = targets[:, 0] * own + partners[:, 0] * (1 - own)
    return torch.where(own[:, None] < 1, mixed, targets)
