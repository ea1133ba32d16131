"""Less memory for activations: those inside a block are computed again in the backward pass."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.module_tracker import ModuleTracker

from dali_pipelines.errors import ConfigError

_TRACKER = ModuleTracker()  # never entered: only asked whether a backward pass is running


def use_checkpointing(model: nn.Module) -> None:
    """Keep the activations between the blocks of a network only; results stay the same.

    A batch norm sees every batch twice then; it is held to counting the first time. Call this
    after any conversion of batch norms. Raises ConfigError for a network without blocks.
    """
    try:
        model.set_grad_checkpointing(True)  # type: ignore[operator]
    except (AttributeError, AssertionError, TypeError) as error:
        raise ConfigError(
            f"speed.checkpointing does not fit a {type(model).__name__}, which has no blocks to "
            "compute again; leave it off"
        ) from error
    for part in model.modules():
        if isinstance(part, _BatchNorm) and part.track_running_stats:
            once = _CountOnce()
            part.register_forward_pre_hook(once.before)
            part.register_forward_hook(once.after, always_call=True)  # a second pass may end early


class _CountOnce:
    """Holds the averages of one batch norm still while it is computed again.

    It must still be given them: torch compares what both passes keep.
    """

    def __init__(self) -> None:
        self._held: tuple[float | None, torch.Tensor | None] | None = None

    def before(self, norm: _BatchNorm, _: Any) -> None:
        if _TRACKER.is_bw and norm.training:
            self._held = norm.momentum, norm.num_batches_tracked
            norm.momentum, norm.num_batches_tracked = 0.0, None

    def after(self, norm: _BatchNorm, *_: Any) -> None:
        if self._held is not None:
            norm.momentum, norm.num_batches_tracked = self._held
            self._held = None
