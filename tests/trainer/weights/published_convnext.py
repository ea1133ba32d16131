"""ConvNeXt (Liu et al. 2022) and V2 (Woo et al. 2023) with the names of their authors."""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

TINY = ((3, 3, 9, 3), (96, 192, 384, 768))


class LayerNorm(nn.Module):
    """Over the channels, which come second or last."""

    def __init__(self, channels: int, dim: int = -1) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.movedim(self.dim, -1)
        centered = x - x.mean(-1, keepdim=True)
        normal = centered / (centered.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return (normal * self.weight + self.bias).movedim(-1, self.dim)


class GRN(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, channels))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (N, H, W, C)
        energy = x.square().sum((1, 2), keepdim=True).sqrt()
        return self.gamma * (x * energy / (energy.mean(-1, keepdim=True) + 1e-6)) + self.beta + x


class Block(nn.Module):
    def __init__(self, channels: int, version: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = LayerNorm(channels)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        if version == 2:
            self.grn = GRN(4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        if version == 1:
            self.gamma = nn.Parameter(1e-6 * torch.ones(channels))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.pwconv1(self.norm(self.dwconv(inputs).movedim(1, -1))))
        x = self.pwconv2(self.grn(x) if hasattr(self, "grn") else x)
        return inputs + (x * self.gamma if hasattr(self, "gamma") else x).movedim(-1, 1)


class ConvNeXt(nn.Module):
    """Features (N, C) of images (N, 3, H, W): the mean over the image, normalized."""

    def __init__(self, depths: tuple[int, ...], dims: tuple[int, ...], version: int) -> None:
        super().__init__()
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(3, dims[0], 4, 4), LayerNorm(dims[0], 1))]
        )
        for into, out in itertools.pairwise(dims):
            self.downsample_layers.append(
                nn.Sequential(LayerNorm(into, 1), nn.Conv2d(into, out, 2, 2))
            )
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(channels, version) for _ in range(depth)))
            for depth, channels in zip(depths, dims, strict=True)
        )
        self.norm = LayerNorm(dims[-1])
        self.head = nn.Linear(dims[-1], 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for downsample, stage in zip(self.downsample_layers, self.stages, strict=True):
            x = stage(downsample(x))
        return self.norm(x.mean((2, 3)))
