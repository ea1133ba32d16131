"""The losses of the auxiliary tasks, each on the logits of its own outputs."""

import torch
from torch.nn import functional

from trainer.losses.classes import class_count


def task_losses(outputs: torch.Tensor, targets: torch.Tensor, task: str) -> torch.Tensor:
    """The loss (N,) of each sample, 0 with a gradient of 0 where its target is NaN.

    `outputs` (N, k) are a task's columns, `targets` (N,) as `tasks.task_targets` has them. Classes
    cost cross-entropy, whose softmax is the only one; yes or no binary cross-entropy; age
    |sigmoid(output) - years / 100|, with the weights of 10 as the first place of the SPR challenge.
    """
    known = targets.isfinite()
    targets = torch.where(known, targets, 0.0)
    if class_count(task) > 1:
        losses = functional.cross_entropy(outputs, targets.long(), reduction="none")
    elif task == "age":
        losses = (outputs[:, 0].sigmoid() - targets).abs()
    else:
        losses = functional.binary_cross_entropy_with_logits(
            outputs[:, 0], targets, reduction="none"
        )
    return torch.where(known, losses, 0.0)
