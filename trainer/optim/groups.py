"""Groups of parameters: which of them decay, and at what share of the rate they learn."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, Protocol, runtime_checkable

from timm.models import group_parameters
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.optim.settings import OptimSettings

Group = dict[str, Any]


def parameter_groups(model: nn.Module, settings: OptimSettings) -> list[Group]:
    """Groups "params", "weight_decay" and "lr_scale" that hold every parameter once.

    Vectors and scalars (biases, scales of normalization) do not decay, nor do those that timm's
    networks name in `no_weight_decay`. Frozen parameters are among them too: they may learn later,
    and the optimizer's state must have one layout over the whole run.
    """
    scales = _layer_scales(model, settings.layer_decay)
    spared: Iterable[str] = getattr(model, "no_weight_decay", set)()
    groups: dict[tuple[float, float], Group] = {}
    for name, parameter in model.named_parameters():
        whole = parameter.ndim <= 1 or any(fnmatchcase(name, pattern) for pattern in spared)
        decay, scale = 0.0 if whole else settings.weight_decay, scales.get(name, 1.0)
        group = {"params": [], "weight_decay": decay, "lr_scale": scale}
        groups.setdefault((scale, decay), group)["params"].append(parameter)
    return list(groups.values())


def _layer_scales(model: nn.Module, decay: float) -> dict[str, float]:
    """d^(n - k) for each parameter of layer k of n, as the network's `group_matcher` counts them.

    Source: ULMFiT, arXiv 1801.06146, section 3.2; for transformers BEiT, arXiv 2106.08254.
    """
    if decay == 1:
        return {}
    if not isinstance(model, _Layered):
        raise ConfigError(
            f"optim.layer_decay: {type(model).__name__} does not say what its layers are; leave "
            "it at 1"
        )
    layers = group_parameters(model, model.group_matcher(coarse=False), reverse=True)
    last = max(layers.values())
    return {name: decay ** (last - layer) for name, layer in layers.items()}


@runtime_checkable
class _Layered(Protocol):
    """A network of timm, or one around it, that tells the layer of a parameter."""

    def group_matcher(self, coarse: bool = False) -> Any: ...
