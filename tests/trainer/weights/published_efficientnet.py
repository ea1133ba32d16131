"""EfficientNet as efficientnet_pytorch names and pads it, written from its published description.

Tan & Le 2019 (blocks, widths), with the padding of TensorFlow worked out once for a nominal size.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

STAGES = (  # expansion, channels, blocks, stride, kernel of B0
    *((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3)),
    *((6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)),
)
B2, B5 = (1.1, 1.2, 260), (1.6, 2.2, 456)  # width, depth, nominal size


def _round(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


class PaddedConv(nn.Conv2d):
    def __init__(self, into: int, out: int, kernel: int, *, size: int, stride: int = 1, groups: int = 1, bias: bool = False) -> None:  # fmt: skip  # noqa: E501
        super().__init__(into, out, kernel, stride, groups=groups, bias=bias)
        total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
        self.edges = (total // 2, total - total // 2) * 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(F.pad(x, self.edges))


class MBConvBlock(nn.Module):
    def __init__(self, into: int, out: int, expand: int, kernel: int, stride: int, size: int) -> None:  # fmt: skip  # noqa: E501
        super().__init__()
        inner = into * expand
        self.skips = stride == 1 and into == out
        if expand > 1:
            self._expand_conv = nn.Conv2d(into, inner, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(inner, eps=1e-3)
        self._depthwise_conv = PaddedConv(
            inner, inner, kernel, size=size, stride=stride, groups=inner
        )
        self._bn1 = nn.BatchNorm2d(inner, eps=1e-3)
        self._se_reduce = nn.Conv2d(inner, int(into * 0.25), 1)
        self._se_expand = nn.Conv2d(int(into * 0.25), inner, 1)
        self._project_conv = nn.Conv2d(inner, out, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(out, eps=1e-3)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        x = inputs
        if hasattr(self, "_expand_conv"):
            x = F.silu(self._bn0(self._expand_conv(x)))
        x = F.silu(self._bn1(self._depthwise_conv(x)))
        gate = self._se_expand(F.silu(self._se_reduce(x.mean((2, 3), keepdim=True))))
        x = self._bn2(self._project_conv(gate.sigmoid() * x))
        return x + inputs if self.skips else x


class EfficientNet(nn.Module):
    """Features (N, C) of images (N, 3, H, W): the head's convolution, averaged over the image."""

    def __init__(self, width: float, depth: float, size: int) -> None:
        super().__init__()
        channels = _round(32 * width)
        self._conv_stem = PaddedConv(3, channels, 3, size=size, stride=2)
        self._bn0 = nn.BatchNorm2d(channels, eps=1e-3)
        size = math.ceil(size / 2)
        self._blocks = nn.ModuleList()
        for expand, base, blocks, first, kernel in STAGES:
            out = _round(base * width)
            for index in range(math.ceil(blocks * depth)):
                stride = first if index == 0 else 1
                self._blocks.append(MBConvBlock(channels, out, expand, kernel, stride, size))
                channels, size = out, math.ceil(size / stride)
        self._conv_head = nn.Conv2d(channels, _round(1280 * width), 1, bias=False)
        self._bn1 = nn.BatchNorm2d(_round(1280 * width), eps=1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.silu(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return F.silu(self._bn1(self._conv_head(x))).mean((2, 3))
