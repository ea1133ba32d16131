"""Values of another's parameter in the shape that this network has for it."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from timm.layers import resample_abs_pos_embed
from torch import nn
from torch.nn import functional


def fold_stem(
    weight: torch.Tensor, channels: int, how: Literal["sum", "mean"] = "sum"
) -> torch.Tensor:
    """A stem (O, I, kh, kw) for `channels` channels that does to gray what it did to gray before.

    Several channels become one by their sum: an image repeated over them gives the same; by their
    mean it gives a part of it, of three channels a third. One becomes several by equal shares.
    Other shapes are left as they are.
    """
    if weight.ndim != 4 or weight.shape[1] == channels:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True) if how == "sum" else weight.mean(1, keepdim=True)
    if weight.shape[1] == 1:
        return weight.repeat(1, channels, 1, 1) / channels
    return weight


def resize_positions(positions: torch.Tensor, network: nn.Module) -> torch.Tensor:
    """Position embeddings (1, T, D) of a square grid, resampled to the grid of the network.

    Those that have the network's number of tokens already are left as they are, as are those of a
    grid that is not square.
    """
    grid = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    own = getattr(network, "pos_embed", None)
    if grid is None or own is None or positions.ndim != 3 or positions.shape[1] == own.shape[1]:
        return positions
    prefix = own.shape[1] - math.prod(grid)
    patches = positions.shape[1] - prefix
    if prefix < 0 or patches < 1 or math.isqrt(patches) ** 2 != patches:
        return positions
    resized: torch.Tensor = resample_abs_pos_embed(
        positions, new_size=list(grid), num_prefix_tokens=prefix
    )
    return resized


def resize_biases(table: torch.Tensor, sides: Sequence[int]) -> torch.Tensor:
    """Biases (places, heads) of a square Swin window, resampled to a window of those sides.

    A window is smaller than the published one where the feature map is; one of h x w has
    (2 h - 1) (2 w - 1) relative places.
    """
    height, width = (2 * side - 1 for side in sides)
    side = math.isqrt(table.shape[0])
    if table.ndim != 2 or side**2 != table.shape[0] or table.shape[0] == height * width:
        return table
    square = table.T.reshape(1, -1, side, side).float()
    resized = functional.interpolate(square, (height, width), mode="bicubic", align_corners=False)
    return resized.reshape(-1, height * width).T.to(table.dtype)
