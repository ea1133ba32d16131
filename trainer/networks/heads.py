"""What comes between the features of an image or unit and its outputs."""

from torch import nn

from dali_pipelines.errors import ConfigError


def make_head(features: int, outputs: int, hidden: int, drop: float) -> nn.Module:
    """Features (N, F) to outputs (N, K): one layer, or with `hidden` units between two.

    The second kind is that of the winner of SPR 2025, who had 512 units and drop 0.1.
    """
    if not hidden:
        return nn.Linear(features, outputs)
    return nn.Sequential(
        nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(drop), nn.Linear(hidden, outputs)
    )


def install_mlp(model: nn.Module, hidden: int, drop: float) -> None:
    """Put a layer of `hidden` units before the outputs of a timm network.

    The new layers are named as the old one was, plus ".0" and ".3". Raises ConfigError for a
    network whose outputs do not come from one linear layer.
    """
    name = getattr(model, "pretrained_cfg", {}).get("classifier")
    old = model.get_submodule(name) if isinstance(name, str) else None
    if not isinstance(name, str) or not isinstance(old, nn.Linear):
        raise ConfigError(
            f"model.head mlp does not fit a {type(model).__name__}, whose outputs do not come from "
            "one linear layer; choose head linear"
        )
    model.set_submodule(name, make_head(old.in_features, old.out_features, hidden, drop))
