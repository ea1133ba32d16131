"""The loss of the cancer logit.

Targets lie in [0, 1]. That of a soft one is what is expected of a label drawn with its probability.
"""

from typing import Final

import torch
from torch.nn import functional

from trainer.losses.settings import LossSettings

_TINY: Final = 1e-12  # keeps 0 / 0 away; next to any other denominator it is nothing in float32


def smoothed(targets: torch.Tensor, settings: LossSettings) -> torch.Tensor:
    """Targets in [0, 1] moved as `smooth` says: 0.1 gives 0.05 and 0.95, or 0 and 0.9."""
    scaled = targets * (1 - settings.smooth)
    return scaled + settings.smooth / 2 if settings.smooth_side == "both" else scaled


def focal_losses(
    logits: torch.Tensor, targets: torch.Tensor, pos_weight: float, gamma: float
) -> torch.Tensor:
    """The focal loss (N,) of each sample; with `gamma` 0 it is the binary cross-entropy.

    w t (1 - p)^gamma (-log p) + (1 - t) p^gamma (-log(1 - p)), where p is sigmoid(logit) and w the
    weight of positives. Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4.
    """
    log_p, log_q = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    positive, negative = -pos_weight * targets * log_p, (targets - 1) * log_q
    if gamma:  # powers by their logarithms, whose gradients are finite where p is 0 or 1
        positive, negative = positive * (gamma * log_q).exp(), negative * (gamma * log_p).exp()
    return positive + negative


def soft_fbeta_loss(
    logits: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor, beta: float
) -> torch.Tensor:
    """1 - F of the valid samples together, a scalar in [0, 1]; 1 without gradient if none is 1.

    F is (1 + b) sum(p t) / (b sum(t) + sum(p)) with b = beta^2, as `metrics.figures.pf1`.
    """
    probs, targets = logits.sigmoid() * valid, targets * valid
    found = (1 + beta**2) * (probs * targets).sum()
    return 1 - found / (beta**2 * targets.sum() + probs.sum()).clamp(min=_TINY)
