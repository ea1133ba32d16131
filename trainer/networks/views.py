"""One network for all views of a unit: shared features of each image, fused, then one head."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from timm.models import group_parameters
from torch import nn

_BACKBONE = "backbone."
_HEAD = "fusion"  # a name that no pattern of timm's knows, as it knows none of its heads'


class MultiView(nn.Module):
    """A timm network without outputs for every view, the fusion of a unit's views, and a head.

    `drop` is before the head. The names of the backbone's parameters are timm's after "backbone.".
    """

    def __init__(
        self, backbone: nn.Module, fusion: nn.Module, head: nn.Module, drop: float
    ) -> None:
        super().__init__()
        self.backbone, self.fusion, self.head = backbone, fusion, head
        self.drop = nn.Dropout(drop)

    def forward(self, images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Outputs (N, K) of images (N * V, C, H, W), the views of a unit in a row.

        `present` (N, V) bool says which are there; what is in the slots of others changes nothing
        but the averages of a batch norm.
        """
        features = self.backbone(images).unflatten(0, tuple(present.shape))
        features = torch.where(present[..., None], features, 0)
        outputs: torch.Tensor = self.head(self.drop(self.fusion(features, present)))
        return outputs

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Whether the backbone computes activations again in the backward pass, as timm's do."""
        self.backbone.set_grad_checkpointing(enable)  # type: ignore[operator]

    def no_weight_decay(self) -> set[str]:
        """Names of parameters that are not to decay, as timm's networks give them."""
        own: set[str] = getattr(self.backbone, "no_weight_decay", set)()
        learned = {name for name, _ in self.fusion.named_parameters(recurse=False)}  # of places
        return {_BACKBONE + name for name in own} | {f"fusion.{name}" for name in learned}

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """The layer of a parameter by name, as timm's networks give it; fusion and head are last.

        It is what `timm.optim.param_groups_layer_decay` asks for. What timm counts to the head of a
        network, such as a norm behind the pooling, is of the last layer here too.
        """
        matcher = self.backbone.group_matcher(coarse=coarse)  # type: ignore[operator]
        named = [*self.backbone.named_parameters(), (_HEAD, None)]
        whole: Any = SimpleNamespace(named_parameters=lambda: iter(named))
        layers: dict[str, int] = group_parameters(whole, matcher, reverse=True)
        return lambda name: layers.get(name.removeprefix(_BACKBONE), layers[_HEAD])


def backbone_of(model: nn.Module) -> nn.Module:
    """The timm network in a network: itself where it scores images, else what its views share."""
    return model.backbone if isinstance(model, MultiView) else model
