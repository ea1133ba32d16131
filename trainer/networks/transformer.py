"""A small transformer over the views of a breast or exam, which tells views and sides apart.

The width and heads are those of Mirai's image aggregator (Yala et al. 2021): 512 and 8.
"""

from typing import Final

import torch
from torch import nn
from torch.nn import functional

_WIDTH: Final = 512
_HEADS: Final = 8
_SPREAD: Final = 0.02  # of learned tokens at the start, as in ViT


class ViewTransformer(nn.Module):
    """Features of views to one vector, which a token of the unit gathers from those present.

    Slots are CC and MLO, of one side or of the right and then the left.
    """

    def __init__(self, features: int, views: int, layers: int, drop: float) -> None:
        super().__init__()
        self.width = _WIDTH
        self.project = nn.Linear(features, _WIDTH)
        self.unit = nn.Parameter(_SPREAD * torch.randn(1, 1, _WIDTH))
        self.view = nn.Parameter(_SPREAD * torch.randn(2, _WIDTH))
        self.side = nn.Parameter(_SPREAD * torch.randn(views // 2, _WIDTH))
        self.layers = nn.ModuleList([_Layer(drop) for _ in range(layers)])
        self.norm = nn.LayerNorm(_WIDTH)

    def forward(self, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """Vectors (N, `width`)."""
        places = (self.side[:, None] + self.view[None]).flatten(0, 1)  # (V, width)
        views = self.project(features) + places
        tokens = torch.cat([self.unit.expand(views.shape[0], -1, -1), views], 1)
        seen = functional.pad(present, (1, 0), value=True)[:, None, None]  # (N, 1, 1, 1 + V)
        for layer in self.layers:
            tokens = layer(tokens, seen)
        vectors: torch.Tensor = self.norm(tokens[:, 0])
        return vectors


class _Layer(nn.Module):
    """Attention and a perceptron, each after a norm and beside a bridge (pre-norm)."""

    def __init__(self, drop: float) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(_WIDTH), nn.LayerNorm(_WIDTH)
        self.qkv = nn.Linear(_WIDTH, 3 * _WIDTH)
        self.proj = nn.Linear(_WIDTH, _WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(_WIDTH, 4 * _WIDTH), nn.GELU(), nn.Linear(4 * _WIDTH, _WIDTH)
        )
        self.drop = nn.Dropout(drop)

    def forward(self, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Tokens (N, L, width) after they looked at those `seen` (N, 1, 1, L)."""
        tokens = tokens + self.drop(self._attend(self.norm1(tokens), seen))
        changed: torch.Tensor = tokens + self.drop(self.mlp(self.norm2(tokens)))
        return changed

    def _attend(self, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(tokens).unflatten(2, (3, _HEADS, -1)).permute(2, 0, 3, 1, 4)
        asked, known, held = parts.unbind()  # queries, keys, values, each (N, heads, L, width)
        looked = functional.scaled_dot_product_attention(asked, known, held, attn_mask=seen)
        found: torch.Tensor = self.proj(looked.transpose(1, 2).flatten(2))
        return found
