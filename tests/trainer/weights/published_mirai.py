"""The image encoder of Mirai, a ResNet-18, with its names; written from its published layout.

The tests also copy this file into a package `onconet`, so that whole modules are pickled with the
names of classes that cannot be imported where they are read.
"""

import argparse
from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F


class BasicBlock(nn.Module):
    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(into, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class RiskFactorPool(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.age_fc = nn.Linear(512, 10)
        self.density_fc = nn.Linear(512, 4)


class Cumulative_Probability_Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hazard_fc = nn.Linear(612, 5)
        self.base_hazard_fc = nn.Linear(612, 1)
        self.register_buffer("upper_triagular_mask", torch.ones(5, 5).triu())


class ResNet(nn.Module):
    """Features (N, 512) of images (N, 3, H, W), the maximum over the image."""

    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__()
        self.args = args
        self.downsampler = nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 64, 7, 2, 3, bias=False),
                bn1=nn.BatchNorm2d(64),
                relu=nn.ReLU(inplace=True),
                maxpool=nn.MaxPool2d(3, 2, 1),
            )
        )
        self.layers = []
        for stage in range(4):
            for index in range(2):
                into = 64 * 2 ** (stage - 1 if index == 0 and stage else stage)
                block = BasicBlock(into, 64 * 2**stage, 2 if index == 0 and stage else 1)
                self.add_module(f"layer{stage + 1}_{index}", block)
                self.layers.append(f"layer{stage + 1}_{index}")
        self.pool = RiskFactorPool()
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(0.1)
        self.fc = nn.Linear(612, 2)
        self.prob_of_failure_layer = Cumulative_Probability_Layer()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.downsampler(x)
        for name in self.layers:
            x = self.get_submodule(name)(x)
        return x.amax((2, 3))


class CustomResnet(nn.Module):
    def __init__(self, args: argparse.Namespace) -> None:
        super().__init__()
        self._model = ResNet(args)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._model(x)
