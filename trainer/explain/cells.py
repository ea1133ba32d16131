"""Where the cells of a feature map lie on the image that it was made of.

Enlarged to the image, a map is drawn as if each cell were in the middle of the px it stands for. A
strided convolution of odd width, with half of that as padding, centers its samples on px 0, 2, 4,
..., and after five of them cell k is at px 32 k: half a cell from there, up and to the left (timm's
ResNet and EfficientNet). TensorFlow's "same" padding of even sizes moves it as far down and to the
right. The sums are those of Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional
Neural Networks", 2019.
"""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from timm.layers.conv2d_same import Conv2dSame
from timm.layers.pool2d_same import AvgPool2dSame, MaxPool2dSame
from torch import nn

from trainer.networks.padding import FixedPadConv2d

_SAME: Final = (Conv2dSame, AvgPool2dSame, MaxPool2dSame)
_STRIDED: Final = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


@dataclass(frozen=True, slots=True)
class Cells:
    """Along one axis: the center of cell k lies at `start` + k * `step` continuous px.

    `length` is how many there are, as far as the layers up to here were followed.
    """

    start: float
    step: float
    length: int

    def merged(self, length: int) -> "Cells":
        """After blocks of neighbors became one, as those of patches do, or padding at the end."""
        block = max(1, round(self.length / length))
        return Cells(self.start + (block - 1) / 2 * self.step, self.step * block, length)

    def strided(self, kernel: "Kernel", length: int) -> "Cells":
        """After a convolution or pooling."""
        shift = (kernel.width - 1) / 2 - kernel.before
        return Cells(self.start + shift * self.step, self.step * kernel.stride, length)

    def weights(self, size: int) -> NDArray[np.float32]:
        """(size, length): how much of each cell is in each px of an image of that size.

        Linear between the centers of two cells, beyond the outermost ones as they are.
        """
        places = (np.arange(size) + 0.5 - self.start) / self.step
        places = np.clip(places, 0, self.length - 1)
        weights = np.maximum(1 - np.abs(places[:, None] - np.arange(self.length)), 0)
        return np.asarray(weights, np.float32)


class Kernel(NamedTuple):
    """Along one axis: px it reaches over, its stride, and px of padding before the first."""

    width: int
    stride: int
    before: int


class CellTracer:
    """Follows the strides of a network while images of `size` (H, W) pass through it.

    A context manager.
    """

    def __init__(self, model: nn.Module, size: tuple[int, int]) -> None:
        self._axes = tuple(Cells(0.5, 1.0, length) for length in size)
        self._before = self._axes  # those before the last layer that was followed,
        self._last: tuple[Any, Any, int] = (None, None, 0)  # which made these sizes, so wide
        strided = (part for part in model.modules() if isinstance(part, _STRIDED))
        self._handles = [
            part.register_forward_hook(self._note)
            for part in strided
            if max(_pair(part.stride)) > 1
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def cells(self, size: tuple[int, int]) -> tuple[Cells, Cells]:
        """The rows and the columns of a map of that size, which was made of what passed so far."""
        rows, columns = (a.merged(n) for a, n in zip(self._axes, size, strict=True))
        return rows, columns

    def _note(self, part: Any, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> None:
        """Follow a layer, or one beside the last of them where that is the narrower way.

        What a residual block adds is less than what it adds to. Of a trained network whose
        shortcuts are means of 2 x 2 px (timm's test_resnet, of phantoms) gradients lie 12.8 px
        below where its wide layers alone would have a cell, and 14 by its shortcuts alone.
        """
        before, after = tuple(given[0].shape[2:]), tuple(out.shape[2:])
        kernels = tuple(_kernel(part, axis, before[axis]) for axis in (0, 1))
        width = max(kernel.width for kernel in kernels)
        is_beside = (before, after) == self._last[:2]
        if is_beside and width >= self._last[2]:
            return
        start = self._before if is_beside else self._axes
        if any(_is_larger(n, a.length) for n, a in zip(before, start, strict=True)):
            return  # beside layers that were passed longer ago
        self._before, self._last = start, (before, after, width)
        steps = zip(start, before, kernels, after, strict=True)
        self._axes = tuple(a.merged(n).strided(kernel, m) for a, n, kernel, m in steps)


def _is_larger(length: int, followed: int) -> bool:
    """Whether it is as long as before the last stride, and not merely padded to whole patches."""
    return length > followed and length >= 2 * followed - 1


def _kernel(part: Any, axis: int, length: int) -> Kernel:
    reach, stride = _pair(part.kernel_size)[axis], _pair(part.stride)[axis]
    width = (reach - 1) * _pair(getattr(part, "dilation", 1))[axis] + 1
    if isinstance(part, FixedPadConv2d):
        return Kernel(width, stride, part.around[2 * (1 - axis)])
    if isinstance(part, _SAME):
        padding = max((-(-length // stride) - 1) * stride + width - length, 0)
        return Kernel(width, stride, padding // 2)
    return Kernel(width, stride, 0 if part.padding == "valid" else _pair(part.padding)[axis])


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)
