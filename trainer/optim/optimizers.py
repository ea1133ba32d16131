"""The optimizer: one of timm's, all of which can be taken up again to the bit."""

from typing import Any, Final

import torch
from timm.optim import create_optimizer_v2, get_optimizer_info, list_optimizers
from torch import nn

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest
from trainer.optim.groups import parameter_groups
from trainer.optim.settings import OptimSettings

# Adahessian needs a graph of its gradients, Kron a package of its own; those of Apex and
# bitsandbytes run on a GPU alone, and nobody has shown that they resume to the bit, as a test here
# shows of each of the others.
_UNFIT: Final = ("adahessian", "kron*", "fused*", "bnb*")


def build_optimizer(model: nn.Module, settings: OptimSettings) -> torch.optim.Optimizer:
    """The optimizer of all parameters of a network, at rest: its state is empty.

    Raises ConfigError for a name or a constant that timm or its optimizer does not have.
    """
    info = _find(settings.name)
    constants: dict[str, Any] = {}
    if settings.betas:
        count = info.num_betas if info.has_betas else 0
        _require(settings, len(settings.betas) == count, f"takes {count} optim.betas")
        constants["betas"] = settings.betas
    if settings.eps:
        _require(settings, info.has_eps, "takes no optim.eps")
        constants["eps"] = settings.eps
    try:
        return create_optimizer_v2(
            parameter_groups(model, settings),
            opt=settings.name,
            lr=settings.lr,
            momentum=settings.momentum,
            **constants,
        )
    except (AssertionError, ImportError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"timm cannot build optimizer {settings.name!r}: {error}") from error


def _find(name: str) -> Any:
    """What timm says of that optimizer."""
    known = [str(known) for known in list_optimizers(exclude_filters=list(_UNFIT))]
    if name not in known:
        raise ConfigError(
            f"optim.name must be one of timm's optimizers, not {name!r}.{closest(name, known)}"
        )
    return get_optimizer_info(name)


def _require(settings: OptimSettings, fits: bool, wanted: str) -> None:
    if not fits:
        raise ConfigError(f"optimizer {settings.name!r} {wanted}; leave it to the optimizer")
