from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.arguments import model_args
from trainer.networks.build import build_model
from trainer.networks.settings import ModelSettings
from trainer.optim.groups import parameter_groups
from trainer.optim.settings import OptimSettings


def _by_parameter(groups: list[dict[str, Any]]) -> dict[int, tuple[float, float]]:
    """Share of the rate and decay of each parameter, by its identity; each must be there once."""
    pairs = [(id(p), (g["lr_scale"], g["weight_decay"])) for g in groups for p in g["params"]]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_vit", "test_efficientnet"])
def test_layers_and_decay_are_those_of_timm(name: str) -> None:
    model = timm.create_model(name, num_classes=1)
    theirs = param_groups_layer_decay(
        model, 0.1, no_weight_decay_list=getattr(model, "no_weight_decay", set)(), layer_decay=0.7
    )
    ours = parameter_groups(model, OptimSettings(weight_decay=0.1, layer_decay=0.7))
    assert _by_parameter(ours) == _by_parameter(theirs)
    assert len({scale for scale, _ in _by_parameter(ours).values()}) > 2
    assert _by_parameter(ours)[id(model.get_classifier().weight)] == (1.0, 0.1)


def test_vectors_and_positions_do_not_decay() -> None:
    model = timm.create_model("test_vit", num_classes=1)
    found = _by_parameter(parameter_groups(model, OptimSettings(weight_decay=0.1)))
    still = {name for name, p in model.named_parameters() if found[id(p)] == (1.0, 0.0)}
    assert {"cls_token", "pos_embed", "norm.weight", "head.bias"} <= still
    assert "head.weight" not in still
    assert set(found.values()) == {(1.0, 0.0), (1.0, 0.1)}


def test_frozen_parameters_are_there_since_they_may_learn_later() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1))
    model[2].weight.requires_grad_(False)
    decaying, still = parameter_groups(model, OptimSettings(weight_decay=0.1))
    assert [tuple(p.shape) for p in decaying["params"]] == [(2, 1, 3, 3), (1, 2)]
    assert [tuple(p.shape) for p in still["params"]] == [(2,), (2,), (2,), (1,)]
    assert (decaying["weight_decay"], still["weight_decay"]) == (0.1, 0.0)


def test_the_head_of_several_views_learns_fastest() -> None:
    args = model_args(ModelSettings("test_resnet", unit="breast"), 1, (32, 32))
    model = build_model(args)
    found = _by_parameter(parameter_groups(model, OptimSettings(layer_decay=0.5)))
    scales = {name: found[id(p)][0] for name, p in model.named_parameters()}
    backbone = {scale for name, scale in scales.items() if name.startswith("backbone.")}
    other = {scale for name, scale in scales.items() if not name.startswith("backbone.")}
    assert other == {1.0}
    assert max(backbone) == 0.5
    assert scales["backbone.conv1.0.weight"] == min(backbone) < 0.1


def test_layers_of_a_strange_network_are_asked_for_in_vain() -> None:
    with pytest.raises(ConfigError, match="Linear does not say what its layers are"):
        parameter_groups(nn.Linear(1, 1), OptimSettings(layer_decay=0.5))
    assert torch.is_tensor(parameter_groups(nn.Linear(1, 1), OptimSettings())[0]["params"][0])
