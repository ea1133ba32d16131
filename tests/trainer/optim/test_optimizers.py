import io
from typing import Any

import pytest
import torch
from timm.optim import list_optimizers
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.optim.optimizers import build_optimizer
from trainer.optim.schedule import set_learning_rate
from trainer.optim.settings import OptimSettings

HALF, WHOLE = 4, 8  # steps
UNFIT = ["adahessian", "kron*", "fused*", "bnb*"]
COMMON = {
    "adam",
    "adamw",
    "sgd",
    "momentum",
    "nadamw",
    "lion",
    "lamb",
    "muon",
}  # the peers' and kin
EVERY = [str(name) for name in list_optimizers(exclude_filters=UNFIT)]
SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in EVERY if name not in COMMON]


def _network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(108, 4), nn.Linear(4, 1))
    )


def _learn(model: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> None:
    for step in steps:
        torch.manual_seed(100 + step)
        set_learning_rate(optimizer, 0.01 * (step + 1))
        optimizer.zero_grad(set_to_none=True)
        model(torch.randn(4, 1, 8, 8)).square().mean().backward()
        optimizer.step()


def _is_taken_up_to_the_bit(name: str) -> bool:
    """Whether weights come out equal where a file that can run no code is between two halves."""
    settings = OptimSettings(name=name)
    whole = _network()
    _learn(whole, build_optimizer(whole, settings), range(WHOLE))
    first = _network()
    optimizer = build_optimizer(first, settings)
    _learn(first, optimizer, range(HALF))
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    kept = torch.load(file, weights_only=True)
    second = _network()
    optimizer = build_optimizer(second, settings)
    second.load_state_dict(kept["model"])
    optimizer.load_state_dict(kept["optimizer"])
    _learn(second, optimizer, range(HALF, WHOLE))
    pairs = zip(whole.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs) and not torch.equal(
        whole[0].weight, _network()[0].weight
    )


@pytest.mark.parametrize("name", [*sorted(COMMON), *SLOW])
def test_an_optimizer_is_taken_up_to_the_bit(name: str) -> None:
    assert _is_taken_up_to_the_bit(name)


def test_constants_are_the_optimizers_own_unless_given() -> None:
    model = nn.Linear(2, 1)

    def constants(**changes: Any) -> dict[str, Any]:
        return build_optimizer(model, OptimSettings(**changes)).defaults

    assert type(build_optimizer(model, OptimSettings())) is torch.optim.AdamW
    assert constants()["betas"] == (0.9, 0.999)
    assert constants(name="lion")["betas"] == (0.9, 0.99)
    assert len(constants(name="adan")["betas"]) == 3
    given = constants(name="adam", betas=(0.5, 0.999), eps=1e-6, lr=0.01)
    assert (given["betas"], given["eps"], given["lr"]) == ((0.5, 0.999), 1e-6, 0.01)
    sgd = constants(name="momentum", momentum=0.8)
    assert (sgd["momentum"], sgd["nesterov"]) == (0.8, False)
    assert constants(name="sgd")["nesterov"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "adamv"}, "one of timm's optimizers, not 'adamv'. Did you mean 'adam"),
        ({"name": "adahessian"}, "one of timm's optimizers"),
        ({"name": "fusedadam"}, "one of timm's optimizers"),
        ({"name": "lookahead_adam"}, "one of timm's optimizers"),
        ({"name": "sgd", "betas": (0.9, 0.999)}, "'sgd' takes 0 optim.betas"),
        ({"name": "adan", "betas": (0.9, 0.999)}, "'adan' takes 3 optim.betas"),
        ({"betas": (0.9,)}, "'adamw' takes 2 optim.betas"),
        ({"name": "sgd", "eps": 1e-6}, "'sgd' takes no optim.eps"),
    ],
)
def test_what_an_optimizer_does_not_have_is_said(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        build_optimizer(nn.Linear(2, 1), OptimSettings(**changes))


def test_common_optimizers_are_timms() -> None:
    assert set(EVERY) > COMMON
