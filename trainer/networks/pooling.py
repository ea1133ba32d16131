"""What takes the place of a timm network's pooling: a steady maximum, the generalized mean.

The generalized mean has a learned exponent: Radenovic, Tolias and Chum, "Fine-tuning CNN Image
Retrieval with No Human Annotation", 2018. It is the mean at exponent 1, the maximum at infinity;
the 7th of RSNA 2023 started at 3 as they did.
"""

from typing import Any, Final

import torch
from timm.layers.adaptive_avgmax_pool import AdaptiveAvgMaxPool2d, SelectAdaptivePool2d
from torch import nn

from dali_pipelines.errors import ConfigError

_UNSTEADY: Final = (nn.AdaptiveMaxPool2d, AdaptiveAvgMaxPool2d)
_START: Final = 3.0
_SMALLEST: Final = 1e-6  # as the authors; what is not positive counts as this


class GeneralizedMean(nn.Module):
    """(mean of x^p)^(1/p) over the axes `dims`; p is learned, and below 1 counts as 2 - p.

    The result has the input's dtype, and keeps the axes at length 1 with `keepdim`. The powers
    are of x relative to its maximum, so that none overflows or vanishes, whatever p becomes.
    """

    def __init__(self, dims: tuple[int, ...], *, keepdim: bool) -> None:
        super().__init__()
        self.dims, self.keepdim = dims, keepdim
        self.p = nn.Parameter(torch.tensor([_START]))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features without the axes `dims`, or with those of length 1."""
        with torch.autocast(features.device.type, enabled=False):
            values = features.float().clamp(min=_SMALLEST)
            power = 1 + (self.p.float() - 1).abs()  # turns at the mean: below is no pooling
            # a constant factor: the gradient through it cancels, since the mean scales with x
            largest = values.detach().amax(self.dims, keepdim=True)
            mean = (values / largest).pow(power).mean(self.dims, keepdim=True)
            pooled = mean.pow(1 / power) * largest
        pooled = pooled if self.keepdim else pooled.flatten(1)
        return pooled.to(features.dtype)


def use_steady_maximum(model: nn.Module) -> None:
    """Let a timm network's poolings "max" and "avgmax" give the same gradients again on a GPU.

    Torch adds up those of AdaptiveMaxPool2d in any order there, and refuses to in deterministic
    mode. `amax` gives the same maxima; equal ones share the gradient.
    """
    for name, part in list(model.named_modules()):
        own = getattr(part, "pool", None)
        if isinstance(part, SelectAdaptivePool2d) and isinstance(own, _UNSTEADY):
            flat = isinstance(part.flatten, nn.Flatten)
            steady = SelectAdaptivePool2d(pool_type=f"fast{part.pool_type}", flatten=flat)
            model.set_submodule(name, steady)


def install_gem(model: nn.Module) -> None:
    """Give a timm network the generalized mean as its pooling; other names stay as they are.

    Its exponent is named as the pooling was, plus ".p". The tokens of a transformer are pooled
    without the class token. Raises ConfigError for a network with none or several poolings.
    """
    if getattr(model, "attn_pool", model) is None:
        model.attn_pool = GeneralizedMean((1,), keepdim=False)
        return
    found = [name for name, part in model.named_modules() if isinstance(part, SelectAdaptivePool2d)]
    if len(found) != 1:
        raise ConfigError(
            f"model.pool gem does not fit a {type(model).__name__}: it has {len(found)} poolings "
            "of a feature map, one is wanted; choose another pool"
        )
    own: Any = model.get_submodule(found[0])
    axes = getattr(own.pool, "dim", (2, 3))  # timm's pooling of channels-last maps keeps its axes
    flat = isinstance(own.flatten, nn.Flatten) or getattr(own.pool, "flatten", False)
    model.set_submodule(found[0], GeneralizedMean(tuple(axes), keepdim=not flat))
