"""A network built from plain arguments without a network connection, and what it says of images.

Parameters keep timm's own names, so a checkpoint's weights load into timm elsewhere.
"""

from collections.abc import Mapping
from typing import Any, Final

import timm
import torch
from timm.layers.patch_embed import PatchEmbed
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.arguments import require_sound
from trainer.networks.fusion import make_fusion
from trainer.networks.heads import install_mlp, make_head
from trainer.networks.padding import fix_padding
from trainer.networks.pooling import install_gem, use_steady_maximum
from trainer.networks.settings import VIEWS
from trainer.networks.views import MultiView

_TIMM: Final = (  # the arguments that are timm's own
    *("model_name", "in_chans", "num_classes", "img_size"),
    *("global_pool", "drop_rate", "drop_path_rate"),
)


def build_model(args: Mapping[str, Any]) -> nn.Module:
    """The network of `arguments.model_args`, randomly initialized.

    For the unit image, images (N, C, H, W) give outputs (N, K), and the network is timm's own. For
    breast and exam, images (N * V, C, H, W) and `present` (N, V) bool give them. Raises
    ConfigError for arguments that `model_args` would not give: timm's others read files, and some
    of its names are addresses.
    """
    require_sound(args)
    own = {name: args[name] for name in _TIMM if name in args}
    views = VIEWS[args.get("unit", "image")]
    if views == 1:
        model: nn.Module = _backbone(args, own)
        if "hidden" in args:
            install_mlp(model, args["hidden"], args.get("drop_rate", 0.0))
        return model
    drop = own.pop("drop_rate", 0.0)  # of the fused vector, not of each view's
    backbone = _backbone(args, own | {"num_classes": 0})
    features: int = backbone.head_hidden_size
    fusion = make_fusion(args["fusion"], features, views, args.get("layers", 1), drop)
    head = make_head(fusion.width, args["num_classes"], args.get("hidden", 0), drop)
    return MultiView(backbone, fusion, head, drop)


def outputs_of(
    model: nn.Module, images: torch.Tensor, present: torch.Tensor | None = None
) -> torch.Tensor:
    """All outputs (N, K) float32: the logit of cancer, then what auxiliary tasks are told.

    Images may be of any floating type; `present` (N, V) bool is for a network of several views.
    """
    mixed = torch.is_autocast_enabled(images.device.type)
    images = images if mixed else images.float()
    outputs: torch.Tensor = model(images) if present is None else model(images, present)
    return outputs.float()


def logits_of(
    model: nn.Module, images: torch.Tensor, present: torch.Tensor | None = None
) -> torch.Tensor:
    """Logits of cancer (N,) float32; arguments as those of `outputs_of`."""
    return outputs_of(model, images, present)[:, 0]


def _backbone(args: Mapping[str, Any], own: Mapping[str, Any]) -> Any:
    """The network of timm's arguments `own`, with the pooling and padding of `args`."""
    is_gem = own.get("global_pool") == "gem"
    model = _timm_network({**own, "global_pool": "avg"} if is_gem else own)
    if is_gem:
        install_gem(model)
    use_steady_maximum(model)
    if "padding" in args:
        fix_padding(model, args["model_name"])
    return model


def _timm_network(own: Mapping[str, Any]) -> Any:
    """A network of timm; images that its patches do not divide are padded to whole patches."""
    try:
        model = timm.create_model(**own, pretrained=False)
        embed = getattr(model, "patch_embed", None)
        if "img_size" not in own or not isinstance(embed, PatchEmbed):
            return model
        whole = [-(-n // p) * p for n, p in zip(own["img_size"], embed.patch_size, strict=True)]
        if whole == own["img_size"]:
            return model
        padded: Any = timm.create_model(**{**own, "img_size": whole}, pretrained=False)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"timm cannot build {dict(own)}: {error}") from error
    padded.patch_embed.strict_img_size = False
    padded.patch_embed.dynamic_img_pad = True
    return padded
