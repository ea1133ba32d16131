"""How the features of a unit's views become one vector.

A fusion takes features (N, V, F), zero where a view is missing, and `present` (N, V) bool, and
gives (N, `width`). A unit without any view gives a finite vector, since its loss weighs 0 but its
gradient is still computed.
"""

from typing import Final

import torch
from torch import nn

from trainer.networks.transformer import ViewTransformer

_HIDDEN: Final = 128  # of the attention, as in the experiments of Ilse et al. 2018


class Concatenation(nn.Module):
    """The views one after the other; a missing one is zeros."""

    def __init__(self, features: int, views: int) -> None:
        super().__init__()
        self.width = views * features

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:  # noqa: ARG002
        """Vectors (N, V * F)."""
        return features.flatten(1)


class Maximum(nn.Module):
    """The largest value over the views that are present."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Vectors (N, F), zeros for a unit without views."""
        largest = features.masked_fill(~present[..., None], -torch.inf).amax(1)
        return torch.where(present.any(1, keepdim=True), largest, 0)


class GatedAttention(nn.Module):
    """The mean over the views that are present, weighed by what is in them.

    Ilse, Tomczak and Welling, "Attention-based Deep Multiple Instance Learning", 2018, eq. 9.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.width = features
        self.content = nn.Linear(features, _HIDDEN)
        self.gate = nn.Linear(features, _HIDDEN)
        self.score = nn.Linear(_HIDDEN, 1)

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Vectors (N, F), zeros for a unit without views."""
        hidden = torch.tanh(self.content(features)) * torch.sigmoid(self.gate(features))
        scores = self.score(hidden).float().squeeze(2)
        lowest = torch.finfo(scores.dtype).min  # not -inf: a unit without views would give NaN
        shares = scores.masked_fill(~present, lowest).softmax(1)
        vectors: torch.Tensor = (shares[..., None].to(features.dtype) * features).sum(1)
        return vectors


def make_fusion(
    kind: str, features: int, views: int, layers: int, drop: float
) -> Concatenation | Maximum | GatedAttention | ViewTransformer:
    """The fusion of that name for `views` vectors of `features`; `layers`, `drop` as it has any."""
    if kind == "concat":
        return Concatenation(features, views)
    if kind == "max":
        return Maximum(features)
    if kind == "attention":
        return GatedAttention(features)
    return ViewTransformer(features, views, layers, drop)
