"""The loss of an epoch so far, kept where it was computed."""

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError


class Tally:
    """This rank's sum of losses and number of units over the epoch so far.

    The sum stays on the device: reading it waits for all steps before, so that is done seldom.
    """

    def __init__(self, device: torch.device, loss: float = 0.0, units: float = 0.0) -> None:
        self._loss = torch.tensor(loss, dtype=torch.float64, device=device)
        self._units = units

    def add(self, loss: torch.Tensor, units: int) -> None:
        """Count `units` more units and the sum of their losses."""
        self._loss += loss.detach()
        self._units += units

    def values(self) -> NDArray[np.float64]:
        """(sum of losses, units)."""
        return np.array([self._loss.item(), self._units])


def require_converging(loss: float) -> None:
    """Raise ConfigError where a loss is no number, since training diverged.

    `loss` is summed over all ranks: were one to look at its own, the others would wait for it.
    """
    if not np.isfinite(loss):
        raise ConfigError(f"the loss became {loss}: training diverged; lower optim.lr")
