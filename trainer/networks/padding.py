"""The padding of the EfficientNets that Mammo-CLIP learned with.

Its code fixes "same" padding once, from the size each scaling was first trained at, and keeps it
at any other; timm pads for the size at hand. Where a layer's two paddings differ, the grid it
samples is moved by one pixel, so only the former repeats a published network exactly.
"""

import math
import re
from typing import Final

import torch
from torch import nn
from torch.nn import functional

from dali_pipelines.errors import ConfigError

_NOMINAL: Final = {  # px; Tan and Le, "EfficientNet", 2019, as coefficients of their code
    "b0": 224,
    "b1": 240,
    "b2": 260,
    "b3": 300,
    "b4": 380,
    "b5": 456,
    "b6": 528,
    "b7": 600,
    "b8": 672,
    "l2": 800,
}


class FixedPadConv2d(nn.Conv2d):
    """A convolution after zeros at (left, right, top, bottom), whatever the size of its input."""

    around: tuple[int, int, int, int]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, C, H, W) of the next layer."""
        return super().forward(functional.pad(images, self.around))


def fix_padding(model: nn.Module, name: str) -> None:
    """Pad a timm `tf_efficientnet_*` as at its nominal size, at every size.

    Parameters keep their names. Raises ConfigError for another architecture.
    """
    scale = re.fullmatch(r"tf_efficientnet_(b\d|l2)(\..*)?", name)
    if scale is None or scale[1] not in _NOMINAL:
        raise ConfigError(
            f"model.padding nominal is of tf_efficientnet_b0 to b8 and l2, not of {name!r}; "
            "choose own"
        )
    side = _NOMINAL[scale[1]]
    for part, conv in list(model.named_modules()):  # in the order that images pass through
        if isinstance(conv, nn.Conv2d) and conv.stride != (1, 1):  # at stride 1 both agree
            model.set_submodule(part, _fixed(conv, side))
            side = math.ceil(side / conv.stride[0])


def _fixed(conv: nn.Conv2d, side: int) -> FixedPadConv2d:
    """The convolution with the "same" padding of images of `side` px, odd pixels at the end."""
    kernel, stride = conv.kernel_size[0], conv.stride[0]
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    before, after = total // 2, total - total // 2
    # `meta` draws no random weights: those of the convolution stay
    fixed = FixedPadConv2d(
        conv.in_channels,
        conv.out_channels,
        kernel,
        stride,
        groups=conv.groups,
        bias=conv.bias is not None,
        device="meta",
    )
    fixed.weight, fixed.bias = conv.weight, conv.bias
    fixed.around = (before, after, before, after)
    return fixed
