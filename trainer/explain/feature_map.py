"""The layer of a network whose features are looked at, as maps of cells."""

from typing import Any

import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest


def layer_of(backbone: Any, name: str = "") -> nn.Module:
    """The layer of a timm network by its name; "" is the last one that still has a map.

    That is where its last stage ends, by timm's own list. The last block of a transformer is left
    out, but for its first norm: what the other tokens are after it never meets the class token.
    Raises ConfigError for a name that the network does not have, and for "" where timm lists none.
    """
    chosen = name or _last(backbone)
    layers = dict(backbone.named_modules())
    if chosen not in layers or not chosen:
        raise ConfigError(
            f"the {type(backbone).__name__} has no layer {chosen!r}.{closest(chosen, layers)}"
        )
    layer: nn.Module = layers[chosen]
    return layer


def _last(backbone: Any) -> str:
    blocks: Any = getattr(backbone, "blocks", ())
    if hasattr(backbone, "num_prefix_tokens") and len(blocks) and hasattr(blocks[-1], "norm1"):
        return f"blocks.{len(blocks) - 1}.norm1"
    stages = getattr(backbone, "feature_info", None)
    if not stages:
        raise ConfigError(
            f"timm does not list the stages of a {type(backbone).__name__}; name a layer by --layer"
        )
    name: str = stages[-1]["module"]
    return name


def as_maps(features: Any, backbone: Any, size: tuple[int, int]) -> torch.Tensor:
    """What a layer gave of images of `size` (H, W), as maps (N, F, h, w).

    Raises ConfigError where that is neither a map nor tokens of patches.
    """
    if isinstance(features, torch.Tensor) and features.ndim == 4:
        last = getattr(backbone, "output_fmt", "NCHW") == "NHWC"
        return features.permute(0, 3, 1, 2) if last else features
    grid_of = getattr(getattr(backbone, "patch_embed", None), "dynamic_feat_size", None)
    if isinstance(features, torch.Tensor) and features.ndim == 3 and grid_of is not None:
        rows, columns = grid_of(size)
        others = features.shape[1] - rows * columns  # the class token, before the patches
        if 0 <= others <= getattr(backbone, "num_prefix_tokens", 0):
            tokens = features[:, others:]
            return tokens.transpose(1, 2).reshape(len(tokens), -1, rows, columns)
    raise no_map(backbone)


def no_map(backbone: nn.Module) -> ConfigError:
    """The error of a layer that cannot be looked at."""
    return ConfigError(
        f"that layer of a {type(backbone).__name__} gives no map of features; name another by "
        "--layer"
    )
