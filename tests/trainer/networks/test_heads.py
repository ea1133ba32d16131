from collections.abc import Callable

import pytest
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.heads import install_mlp, make_head

Build = Callable[..., nn.Module]


def test_a_head_without_hidden_units_is_one_layer() -> None:
    head = make_head(6, 2, 0, 0.5)
    assert isinstance(head, nn.Linear)
    assert head.weight.shape == (2, 6)


def test_a_hidden_layer_is_rectified_and_dropped() -> None:
    head = make_head(6, 2, 4, 0.5).eval()
    features = torch.randn(3, 6)
    first, _, drop, last = head
    hidden = (features @ first.weight.T + first.bias).clamp(min=0)
    torch.testing.assert_close(head(features), hidden @ last.weight.T + last.bias)
    assert drop.p == 0.5


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("test_resnet", "fc"),
        ("test_efficientnet", "classifier"),
        ("test_convnext", "head.fc"),
        ("test_vit", "head"),
    ],
)
def test_it_takes_the_place_of_timms_last_layer(build: Build, name: str, place: str) -> None:
    own, model = build(name).state_dict(), build(name, head="mlp", hidden=7).state_dict()
    kept = own.keys() - {f"{place}.weight", f"{place}.bias"}
    new = {f"{place}.{i}.{part}" for i in (0, 3) for part in ("weight", "bias")}
    assert model.keys() == kept | new
    assert model[f"{place}.3.weight"].shape == (1, 7)
    assert all(torch.equal(model[key], own[key]) for key in kept)


def test_a_network_of_another_make_is_refused() -> None:
    with pytest.raises(ConfigError, match="mlp does not fit a Sequential"):
        install_mlp(nn.Sequential(nn.Linear(2, 1)), 4, 0.0)
