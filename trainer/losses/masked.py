"""Binary cross-entropy over the samples of a batch that exist."""

import torch
from torch.nn import functional


def masked_bce(
    logits: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor, valid_total: float
) -> torch.Tensor:
    """Sum of the loss over valid slots, divided by `valid_total`: a scalar with a gradient.

    `logits`, `targets` and `valid` are (N,). `valid_total` is the number of valid slots that the
    mean is over; where ranks average their gradients it is the number on all ranks divided by the
    number of ranks, which makes the average the mean over the global batch. A batch without a
    valid slot gives 0, and its backward pass gradients of 0.
    """
    losses = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    kept = torch.where(valid, losses, torch.zeros_like(losses))  # 0 * nan would stay nan
    return kept.sum() / max(valid_total, torch.finfo(losses.dtype).tiny)
