"""The loss of a batch: of cancer and of each auxiliary task, over the samples that exist."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError
from trainer.losses.auxiliary import task_losses
from trainer.losses.cancer import focal_losses, smoothed, soft_fbeta_loss
from trainer.losses.settings import LossSettings
from trainer.losses.tasks import task_columns


@dataclass(frozen=True, slots=True)
class Loss:
    """What a training step minimizes; `pos_weight` is the number behind "auto"."""

    settings: LossSettings
    pos_weight: float

    def __call__(
        self, outputs: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        """Sum of the losses of the valid samples, a float32 scalar with a gradient.

        `outputs` (N, K) are logits in the layout of `task_columns`, `targets` (N, T) a column of
        cancer in [0, 1] and one a task, `valid` (N,) bool. What is no sample counts nothing,
        whatever its slot holds, NaN too; nor does a task whose target is NaN. A batch without a
        valid sample gives 0 and gradients of 0.

        The mean over any set of batches and ranks is the sum of their losses over the number of
        their valid samples. So a task that is known of a tenth of the samples weighs a tenth. Only
        soft F-beta is no sum over samples: it is that of this batch times its valid samples.
        """
        # before any arithmetic: the gradient of what is masked afterwards is 0 * NaN = NaN
        outputs = torch.where(valid[:, None], outputs.float(), 0.0)
        targets = torch.where(valid[:, None], targets, torch.nan)
        total = self.settings.scale * self._cancer(outputs[:, 0], targets[:, 0], valid)
        columns = task_columns(self.settings.tasks.used)
        for column, (task, place) in enumerate(columns.items(), start=1):
            losses = task_losses(outputs[:, place], targets[:, column], task)
            total = total + self.settings.tasks.weights[task] * losses.sum()
        return total

    def _cancer(
        self, logits: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        settings, targets = self.settings, torch.where(valid, targets, 0.0)
        if settings.kind == "soft-fbeta":
            return valid.sum() * soft_fbeta_loss(logits, targets, valid, settings.beta)
        gamma = settings.focal_gamma if settings.kind == "focal" else 0.0
        targets = smoothed(targets, settings)
        losses = focal_losses(logits, targets, self.pos_weight, gamma)
        return torch.where(valid, losses, 0.0).sum()


def build_loss(settings: LossSettings, pos_weight: float) -> Loss:
    """The loss of those settings; `pos_weight` is of `positive_weight`."""
    return Loss(settings, pos_weight)


def positive_weight(settings: LossSettings, labels: NDArray[np.int64]) -> float:
    """What multiplies the loss of positives: the settings' own number, or for "auto" one by labels.

    `labels` (n,) are those that an epoch shows, as often as it shows them. ConfigError where "auto"
    finds one class only.
    """
    if settings.pos_weight != "auto":
        return settings.pos_weight
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not (positives and negatives):
        raise ConfigError(
            f"loss.pos_weight must be a number here: an epoch shows {positives} positives and "
            f'{negatives} negatives, of which "auto" can make no weight'
        )
    return negatives / positives
