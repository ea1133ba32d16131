"""AdamW, and the learning rate as a pure function of how much of the run is done.

The rate depends on nothing but that share, so there is no scheduler to save, and a run resumed
with another number of ranks goes on along the same curve.
"""

import math

import torch
from torch import nn

from trainer.optim.settings import OptimSettings


def build_optimizer(model: nn.Module, settings: OptimSettings) -> torch.optim.AdamW:
    """AdamW that decays weight matrices and kernels, but no bias and no normalization scale."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.lr)


def learning_rate(done: float, settings: OptimSettings) -> float:
    """The rate when the share `done` in [0, 1] of the run's blocks is behind.

    It rises linearly over `warmup_share`, then falls as half a cosine to 0.
    Source: SGDR, arXiv 1608.03983, equation 5, without restarts.
    """
    if done < settings.warmup_share:
        return settings.lr * done / settings.warmup_share
    fallen = (min(done, 1.0) - settings.warmup_share) / (1 - settings.warmup_share)
    return settings.lr * (1 + math.cos(math.pi * fallen)) / 2


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of the optimizer that rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
