"""How a step is computed: its number formats and its layout in memory."""

from typing import Final

import torch
from timm.layers import convert_sync_batchnorm
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.distributed import World
from trainer.optim.settings import SpeedSettings

_DTYPES: Final = {"bf16": torch.bfloat16, "fp16": torch.float16, "off": None}


def amp_dtype(device: torch.device, amp: str) -> torch.dtype | None:
    """The floating type of matrix products and convolutions; None for float32 as they come.

    "auto" on a GPU is bfloat16 where the hardware has it (from compute capability 8.0 on).
    """
    if amp != "auto":
        return _DTYPES[amp]
    if device.type != "cuda":
        return None
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if native else torch.float16


def precision(device: torch.device, amp: str) -> torch.autocast:
    """A stretch in which a forward pass computes in `amp_dtype`."""
    dtype = amp_dtype(device, amp)
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def build_scaler(device: torch.device, amp: str) -> torch.amp.GradScaler:
    """What keeps gradients of float16 in range; without effect for other types.

    Its state is a dict of numbers, {} where it has no effect.
    """
    half = amp_dtype(device, amp) == torch.float16
    return torch.amp.GradScaler(device.type, enabled=half)


def prepare_model(model: nn.Module, settings: SpeedSettings, world: World) -> nn.Module:
    """The network on its device, as it is to be trained; to be wrapped by `World.parallel` next.

    Names and values of its weights stay as they are. Raises ConfigError where batch norm cannot be
    shared: torch has it on GPUs only.
    """
    if settings.sync_bn and world.size > 1:
        if world.device.type != "cuda":
            raise ConfigError(
                "speed.sync_bn needs a GPU for each rank, since torch shares batch norm on GPUs "
                "only; leave it off"
            )
        model = convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
    model.to(world.device)
    model.to(memory_format=memory_format(settings))
    if settings.compile:
        model.compile()
    return model


def memory_format(settings: SpeedSettings) -> torch.memory_format:
    """How images and kernels lie in memory: (N, C, H, W) or (N, H, W, C), the same shape."""
    return torch.channels_last if settings.channels_last else torch.contiguous_format
