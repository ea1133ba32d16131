"""Where the cells of a feature map lie: by hand, and by the px that a cell is made of."""

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from trainer.explain.cells import Cells, CellTracer
from trainer.explain.feature_map import as_maps, layer_of
from trainer.networks.build import build_model
from trainer.networks.padding import FixedPadConv2d

SIZE = (96, 128)


def cells_of(name: str, size: tuple[int, int], **more: object) -> tuple[Cells, Cells]:
    """The cells of the default layer of a network."""
    model = build_model({"model_name": name, "in_chans": 1, "num_classes": 1, **more})
    found: list[tuple[Cells, Cells]] = []

    def keep(_layer: nn.Module, _given: object, features: torch.Tensor) -> None:
        maps = as_maps(features, model, size)
        found.append(tracer.cells((maps.shape[2], maps.shape[3])))

    with CellTracer(model, size) as tracer, torch.inference_mode():
        layer_of(model).register_forward_hook(keep)
        model.eval()(torch.zeros(1, 1, *size))
    return found[0]


@pytest.mark.parametrize(
    ("name", "start", "step"),
    [
        # five layers of stride 2 with (width - 1) / 2 px of padding: 0.5 throughout
        ("test_efficientnet", 0.5, 32),
        # the last three of them beside means of 2 x 2 px, which lie 2, 4 and 8 px further
        ("test_resnet", 14.5, 32),
        # "same" padding of even sizes: 1 px after the first layer, then 2, 4, 8 and 16 more
        ("tf_mobilenetv3_small_minimal_100", 31.5, 32),
        # patches of 4, then of 2 x 2 x 2: the middle of 32
        ("test_convnext", 16, 32),
    ],
)
def test_cells_by_hand(name: str, start: float, step: float) -> None:
    rows, columns = cells_of(name, SIZE)
    assert rows == Cells(start, step, SIZE[0] // 32)
    assert columns == Cells(start, step, SIZE[1] // 32)


def test_patches_of_a_transformer_lie_in_their_middle_and_those_of_padding_too() -> None:
    rows, columns = cells_of("test_vit", (40, 56), img_size=[40, 56])
    assert rows == Cells(8, 16, 3)  # 2.5 patches are 3
    assert columns == Cells(8, 16, 4)


def test_padding_of_a_nominal_size_is_what_is_done() -> None:
    layer = FixedPadConv2d(1, 1, 3, 2)
    layer.around = (1, 2, 0, 1)  # left, right, top, bottom: one px to the left, none above
    with CellTracer(layer, (16, 16)) as tracer:
        out = layer(torch.zeros(1, 1, 16, 16))
    assert tracer.cells((out.shape[2], out.shape[3])) == (Cells(1.5, 2, 8), Cells(0.5, 2, 9))


def test_a_merger_without_a_convolution_takes_blocks() -> None:
    # patches of 4, then twice 2 x 2 by reshaping: as Swin
    assert Cells(0.5 + 1.5, 4, 16).merged(4) == Cells(0.5 + 1.5 + 1.5 * 4, 16, 4)


LAYER = st.tuples(
    st.integers(1, 7), st.integers(1, 3), st.integers(0, 3), st.sampled_from(["conv", "max", "avg"])
)


@settings(deadline=None, max_examples=30)
@given(layers=st.lists(LAYER, min_size=1, max_size=4), rows=st.integers(60, 90))
def test_the_middle_of_what_a_cell_is_made_of_is_its_center(
    layers: list[tuple[int, int, int, str]], rows: int
) -> None:
    model = nn.Sequential(*[_layer(*layer) for layer in layers])
    image = torch.rand(1, 1, rows, 64, dtype=torch.float64, requires_grad=True)
    with CellTracer(model, (rows, 64)) as tracer:
        out = model(image)
    cells = tracer.cells((out.shape[2], out.shape[3]))
    k = out.shape[2] // 2, out.shape[3] // 2
    (gradient,) = torch.autograd.grad(out[0, 0, k[0], k[1]], image)
    for axis in (0, 1):
        touched = np.flatnonzero(gradient[0, 0].sum(1 - axis).numpy())
        if touched[-1] - touched[0] + 1 == _span(model):  # whole, not cut off
            middle = (touched[0] + touched[-1] + 1) / 2
            assert cells[axis].start + k[axis] * cells[axis].step == middle


def _span(model: nn.Sequential) -> int:
    """From the first to the last px that a cell is made of."""
    span, step = 1, 1
    for layer in model:
        width, stride = (int(np.ravel(size)[0]) for size in (layer.kernel_size, layer.stride))
        span += (width - 1) * step
        step *= stride
    return span


def _layer(width: int, stride: int, padding: int, kind: str) -> nn.Module:
    """A layer that makes each sample of all of `width` px; those of no stride do not move it."""
    padding = min(padding, width // 2) if stride > 1 else 0
    if stride == 1:
        width = width | 1
        padding = width // 2
    if kind == "conv" or stride == 1:
        layer = nn.Conv2d(1, 1, width, stride, padding, bias=False).double()
        nn.init.ones_(layer.weight)
        return layer
    return nn.AvgPool2d(width, stride, padding) if kind == "avg" else _Sum(width, stride, padding)


class _Sum(nn.MaxPool2d):
    """Where a maximum pooling looks: at all px at once, which a gradient can show."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool2d(given, self.kernel_size, self.stride, self.padding)


def test_a_shortcut_beside_the_way_changes_nothing() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.way = nn.Conv2d(1, 1, 3, 2, 1)
            self.shortcut = nn.Conv2d(1, 1, 1, 2)

        def forward(self, given: torch.Tensor) -> torch.Tensor:
            shown: torch.Tensor = self.way(given) + self.shortcut(given)
            return shown

    model = nn.Sequential(Block(), Block())
    with CellTracer(model, (16, 24)) as tracer:
        model(torch.zeros(1, 1, 16, 24))
    assert tracer.cells((4, 6)) == (Cells(0.5, 4, 4), Cells(0.5, 4, 6))


def test_weights_are_linear_between_centers_and_level_beyond() -> None:
    weights = Cells(1.0, 2.0, 3).weights(6)  # px at 0.5, 1.5 ...; centers at 1, 3, 5
    wanted = [
        [1, 0, 0],
        [0.75, 0.25, 0],
        [0.25, 0.75, 0],
        [0, 0.75, 0.25],
        [0, 0.25, 0.75],
        [0, 0, 1],
    ]
    assert weights.tolist() == wanted


def test_hooks_are_gone_afterwards() -> None:
    model = timm.create_model("test_resnet", in_chans=1, num_classes=1)
    with CellTracer(model, (32, 32)):
        pass
    assert not any(part._forward_hooks for part in model.modules())
