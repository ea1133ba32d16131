"""Parts of the network that do not learn, for the first epochs or at all."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import islice

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest
from trainer.optim.settings import OptimSettings

BACKBONE = "backbone"


def apply_frozen(model: nn.Module, settings: OptimSettings, epoch: int) -> bool:
    """Let the frozen parts learn, or not, as is due in that epoch; whether anything changed.

    Where something changed, the network is as in evaluation until `set_training`, and its wrap for
    several ranks must be made anew: DistributedDataParallel looks at what learns when it is made.
    Raises ConfigError for a name that the network does not have, or where nothing is left to learn.
    """
    names = _matching(model, settings.frozen)
    learns = 0 < settings.frozen_epochs <= epoch
    changed = False
    for name, parameter in model.named_parameters():
        if name in names and parameter.requires_grad != learns:
            parameter.requires_grad_(learns)
            parameter.grad = None  # a gradient of before would go on being applied
            changed = True
    if changed:
        model.eval()
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(f"optim.frozen {list(settings.frozen)} leaves nothing that learns")
    return changed


def set_training(model: nn.Module, training: bool) -> None:
    """As `model.train(training)`, but a batch norm that does not learn keeps its averages too.

    Source: ResNet, arXiv 1512.03385, appendix A, where batch norm is fixed while fine-tuning.
    """
    outermost = islice(model.modules(), 2)  # a wrap and the network within, which may differ
    if all(module.training == training for module in outermost):
        return  # going through all modules takes 2 ms in an EfficientNet-B5, at every step
    model.train(training)
    if not training:
        return
    for module in model.modules():
        if isinstance(module, _NormBase):
            own = list(module.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                module.eval()


def _matching(model: nn.Module, frozen: Sequence[str]) -> set[str]:
    """The names of all parameters below the frozen parts."""
    names = [name for name, _ in model.named_parameters()]
    found: set[str] = set()
    for part in frozen:
        if part == BACKBONE and not hasattr(model, BACKBONE):
            below = _all_but_head(model, names)
        else:
            below = {n for n in names if fnmatchcase(n, part) or fnmatchcase(n, f"{part}.*")}
        if not below:
            parts = {name.rpartition(".")[0] for name in names} | set(dict(model.named_children()))
            raise ConfigError(
                f"optim.frozen: the network has no part {part!r} with weights."
                f"{closest(part, parts)}"
            )
        found |= below
    return found


def _all_but_head(model: nn.Module, names: Sequence[str]) -> set[str]:
    """Of a network of timm, what is not below the layer that it calls its classifier."""
    heads = (getattr(model, "default_cfg", None) or {}).get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    inside = tuple(f"{head}." for head in heads)
    return {name for name in names if not name.startswith(inside)} if inside else set()
