from typing import Any

import pytest
import timm
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.arguments import model_args
from trainer.networks.build import build_model
from trainer.networks.settings import ModelSettings
from trainer.optim.frozen import apply_frozen, set_training
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings


def _resnet() -> nn.Module:
    model: nn.Module = timm.create_model("test_resnet", num_classes=1, in_chans=1)
    return model


def _learning(model: nn.Module) -> set[str]:
    """The parts at the top of the network that learn."""
    return {name.split(".")[0] for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    ("frozen", "learning"),
    [
        ((), {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"}),
        (("conv1", "bn1", "layer1"), {"layer2", "layer3", "layer4", "fc"}),
        (("layer[1-3]",), {"conv1", "bn1", "layer4", "fc"}),
        (("backbone",), {"fc"}),
    ],
)
def test_named_parts_do_not_learn(frozen: tuple[str, ...], learning: set[str]) -> None:
    model = _resnet()
    assert apply_frozen(model, OptimSettings(frozen=frozen), 5) is bool(frozen)
    assert _learning(model) == learning


def test_a_name_is_not_the_beginning_of_another() -> None:
    model = nn.ModuleDict({"layer1": nn.Linear(1, 1), "layer10": nn.Linear(1, 1)})
    apply_frozen(model, OptimSettings(frozen=("layer1",)), 0)
    assert _learning(model) == {"layer10"}


def test_the_backbone_of_several_views_does_not_learn() -> None:
    model = build_model(model_args(ModelSettings("test_resnet", unit="breast"), 1, (32, 32)))
    apply_frozen(model, OptimSettings(frozen=("backbone",)), 0)
    assert _learning(model) == {"fusion", "head"}


def test_parts_learn_from_their_epoch_on() -> None:
    model = _resnet()
    settings = OptimSettings(frozen=("backbone",), frozen_epochs=2)
    assert [apply_frozen(model, settings, epoch) for epoch in range(4)] == [
        True,
        False,
        True,
        False,
    ]
    assert "conv1" in _learning(model)
    assert apply_frozen(model, settings, 1)  # taken up from an earlier checkpoint
    assert _learning(model) == {"fc"}


@pytest.mark.parametrize(
    ("frozen", "text"),
    [
        (("layer5",), "no part 'layer5' with weights. Did you mean 'layer"),
        (("act1",), "no part 'act1'"),
        (("*",), "leaves nothing that learns"),
        (("backbone", "fc"), "leaves nothing that learns"),
    ],
)
def test_what_cannot_be_frozen_is_said(frozen: tuple[str, ...], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        apply_frozen(_resnet(), OptimSettings(frozen=frozen), 0)


def _step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    set_training(model, True)
    optimizer.zero_grad(set_to_none=True)
    model(torch.randn(4, 1, 32, 32)).square().mean().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["adamw", "momentum", "lion"])
def test_frozen_parts_keep_every_bit_and_then_learn(name: str) -> None:
    """Neither decay nor momentum nor the averages of batch norm may move what is frozen."""
    torch.manual_seed(0)
    model = _resnet()
    settings: Any = OptimSettings(
        name=name, lr=0.01, weight_decay=0.1, frozen=("conv1", "bn1", "layer1"), frozen_epochs=2
    )
    optimizer = build_optimizer(model, settings)
    _step(model, optimizer)  # leaves gradients and momentum behind
    apply_frozen(model, settings, 0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for _ in range(2):
        _step(model, optimizer)
    moved = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert not any(name.startswith(settings.frozen) for name in moved)
    assert {"layer2.0.conv1.weight", "layer2.0.bn1.running_mean", "fc.weight"} <= moved
    apply_frozen(model, settings, 2)
    _step(model, optimizer)
    moved = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert {"conv1.0.weight", "bn1.running_mean", "layer1.0.bn1.weight"} <= moved


def test_only_frozen_batch_norm_stays_as_in_evaluation() -> None:
    model = _resnet()
    apply_frozen(model, OptimSettings(frozen=("layer1",)), 0)
    set_training(model, True)
    assert not model.layer1[0].bn1.training
    assert model.layer1.training
    assert model.bn1.training
    set_training(model, False)
    assert not any(module.training for module in model.modules())


def test_a_wrap_follows_the_network_within() -> None:
    """Scoring puts the network itself in evaluation, and its wrap does not notice."""
    model = _resnet()
    wrap = nn.Sequential(model)
    set_training(wrap, True)
    model.eval()
    set_training(wrap, True)
    assert model.layer1[0].bn1.training
    apply_frozen(model, OptimSettings(frozen=("layer1",)), 0)
    set_training(wrap, True)
    assert model.bn1.training
    assert not model.layer1[0].bn1.training
    set_training(wrap, False)
    assert not model.bn1.training
