"""Paddings by layer as worked out by hand from Mammo-CLIP's code (before, after)."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.padding import FixedPadConv2d, fix_padding

Build = Callable[..., nn.Module]
LAYERS = ("conv_stem", *(f"blocks.{stage}.0.conv_dw" for stage in (1, 2, 3, 5)))


@pytest.mark.parametrize(
    ("name", "pads"),
    [
        ("tf_efficientnet_b2", [(0, 1), (0, 1), (2, 2), (1, 1), (2, 2)]),
        ("tf_efficientnet_b5", [(0, 1), (0, 1), (1, 2), (1, 1), (2, 2)]),
        ("tf_efficientnet_b0.ns_jft_in1k", [(0, 1), (0, 1), (1, 2), (0, 1), (1, 2)]),
    ],
)
def test_each_layer_is_padded_as_at_the_nominal_size(name: str, pads: list[object]) -> None:
    import timm

    with torch.device("meta"):
        model = timm.create_model(name)
    fix_padding(model, name)
    fixed = {n: m for n, m in model.named_modules() if isinstance(m, FixedPadConv2d)}
    assert tuple(fixed) == LAYERS
    assert [(m.around[:2], m.around[2:]) for m in fixed.values()] == [(p, p) for p in pads]


def test_zeros_come_before_and_after_as_stated() -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 3, 2, bias=False))
    fix_padding(model, "tf_efficientnet_b0")  # 224 px: one column after, none before
    images = torch.arange(1.0, 26).view(1, 1, 5, 5)
    nn.init.ones_(model[0].weight)
    by_hand = [[7 * 9.0, 9 * 9.0, 0], [17 * 9.0, 19 * 9.0, 0]]
    assert model(images)[0, 0, :2, :2].tolist() == [row[:2] for row in by_hand]
    assert model(images).shape == (1, 1, 2, 2)


def test_weights_and_their_names_stay(build: Build) -> None:
    own, fixed = build("tf_efficientnet_b0"), build("tf_efficientnet_b0", padding="nominal")
    weights = own.state_dict()
    assert fixed.state_dict().keys() == weights.keys()
    assert all(torch.equal(value, weights[name]) for name, value in fixed.state_dict().items())
    assert not any(parameter.is_meta for parameter in fixed.parameters())


@pytest.mark.parametrize("side", [224, 90])
def test_it_is_timms_own_where_both_pad_alike(build: Build, side: int) -> None:
    own = build("tf_efficientnet_b0", size=(side, side)).eval()
    fixed = build("tf_efficientnet_b0", size=(side, side), padding="nominal").eval()
    images = torch.randn(1, 1, side, side)
    with torch.inference_mode():
        alike = torch.allclose(own(images), fixed(images), rtol=1e-5, atol=1e-7)
    sides = [side, -(-side // 2), -(-side // 4), -(-side // 8), -(-side // 16)]
    assert alike == all(s % 2 == 0 for s in sides)  # at 224 every layer meets an even side


@pytest.mark.parametrize("name", ["efficientnet_b2", "tf_efficientnetv2_s", "test_resnet"])
def test_other_networks_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="nominal is of tf_efficientnet_b0 to b8"):
        fix_padding(nn.Identity(), name)
