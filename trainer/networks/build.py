"""A timm network with one output, built without a network connection, and its logits.

Parameters keep timm's own names, so a checkpoint's weights load into timm elsewhere.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import timm
import torch
from timm.models import adapt_input_conv
from torch import nn

from dali_pipelines.errors import CheckpointError, ConfigError
from trainer.checkpoint import read_tensors
from trainer.networks.settings import ModelSettings

_REQUIRED: Final = {"model_name", "in_chans", "num_classes"}
_ARGS: Final = _REQUIRED | {"global_pool", "drop_rate", "img_size"}  # all that model_args writes
_NESTS: Final = ("model", "state_dict")  # where training scripts put weights within a file


def model_args(settings: ModelSettings, channels: int, size: tuple[int, int]) -> dict[str, Any]:
    """The arguments that build the network again, as plain values for a checkpoint.

    `size` (H, W) px is passed on only to a network that is built for one size.
    """
    if not _is_known(settings.name):
        near = difflib.get_close_matches(settings.name, timm.list_models(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else " timm.list_models() names all."
        raise ConfigError(f"timm has no model {settings.name!r}.{hint}")
    args: dict[str, Any] = {"model_name": settings.name, "in_chans": channels, "num_classes": 1}
    if settings.pool != "default":
        args["global_pool"] = settings.pool
    if settings.drop:
        args["drop_rate"] = settings.drop
    known = timm.get_pretrained_cfg(settings.name)
    if known is not None and known.fixed_input_size:
        args["img_size"] = list(size)
    return args


def build_model(args: Mapping[str, Any]) -> nn.Module:
    """The network of `model_args`, randomly initialized; images (N, C, H, W) give (N, 1).

    Raises ConfigError for arguments that `model_args` would not give: timm's others read files,
    and some of its names are addresses.
    """
    if not _REQUIRED <= set(args) <= _ARGS or not _is_known(args["model_name"]):
        raise ConfigError(
            f"{dict(args)} does not describe a network of timm by {', '.join(sorted(_ARGS))} alone"
        )
    try:
        model: nn.Module = timm.create_model(**args, pretrained=False)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"timm cannot build {dict(args)}: {error}") from error
    return model


def logits_of(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits (N,) float32 of images (N, C, H, W) of any floating type."""
    mixed = torch.is_autocast_enabled(images.device.type)
    logits: torch.Tensor = model(images if mixed else images.float())
    return logits.squeeze(1).float()


def precision(device: torch.device, amp: str) -> torch.autocast:
    """A stretch of bfloat16 arithmetic where `amp` is "auto" and the device a GPU, else float32."""
    return torch.autocast(device.type, torch.bfloat16, amp == "auto" and device.type == "cuda")


def load_pretrained(model: nn.Module, path: Path, channels: int) -> None:
    """Give the network the weights of a local file, all but those of its last layer.

    The file is safetensors, or anything `torch.load(weights_only=True)` reads: a state dict, or
    one under "model" or "state_dict". A stem of 3 channels is folded into fewer as timm does.

    Raises CheckpointError if the file cannot be read or is of another network.
    """
    weights = _read_weights(path)
    config = getattr(model, "default_cfg", {}) or {}
    heads, stems = _names(config.get("classifier")), _names(config.get("first_conv"))
    kept = {k: v for k, v in weights.items() if not _below(k, heads)}
    for key in (f"{stem}.weight" for stem in stems):
        if key in kept and kept[key].ndim == 4 and kept[key].shape[1] == 3:
            kept[key] = adapt_input_conv(channels, kept[key])
    try:
        found = model.load_state_dict(kept, strict=False)
    except RuntimeError as error:
        raise CheckpointError(f"{str(path)!r} is of another network: {error}") from error
    missing = [key for key in found.missing_keys if not _below(key, heads)]
    if missing or found.unexpected_keys:
        raise CheckpointError(
            f"{str(path)!r} is of another network: {len(missing)} weights are missing "
            f"{missing[:3]} and {len(found.unexpected_keys)} unknown {found.unexpected_keys[:3]}"
        )


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    content = read_tensors(path)
    for nest in _NESTS:
        if isinstance(content.get(nest), Mapping):
            content = dict(content[nest])
    tensors = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}
    if not tensors:
        raise CheckpointError(f"{str(path)!r} holds no weights")
    return tensors


def _is_known(name: object) -> bool:
    """Whether timm has that architecture itself; false for addresses such as "hf-hub:..."."""
    return isinstance(name, str) and ":" not in name and timm.is_model(name.partition(".")[0])


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return () if not value else (value,) if isinstance(value, str) else tuple(value)


def _below(key: str, modules: tuple[str, ...]) -> bool:
    return any(key == module or key.startswith(f"{module}.") for module in modules)
