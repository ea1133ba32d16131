import pytest
import torch
from torch import nn

from trainer.optim.adamw import build_optimizer, learning_rate, set_learning_rate
from trainer.optim.settings import OptimSettings

SETTINGS = OptimSettings(lr=1.0, warmup_share=0.2, weight_decay=0.1)


@pytest.mark.parametrize(
    ("done", "rate"),
    [(0, 0), (0.1, 0.5), (0.2, 1.0), (0.4, 0.85355), (0.6, 0.5), (1.0, 0.0), (1.3, 0.0)],
)
def test_the_rate_rises_linearly_and_falls_as_a_cosine(done: float, rate: float) -> None:
    assert learning_rate(done, SETTINGS) == pytest.approx(rate, abs=1e-5)


def test_a_run_without_warm_up_starts_at_the_full_rate() -> None:
    assert learning_rate(0.0, OptimSettings(lr=0.3, warmup_share=0)) == pytest.approx(0.3)


def test_biases_and_normalization_do_not_decay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Linear(2, 1))
    model[2].weight.requires_grad_(False)
    decaying, other = build_optimizer(model, SETTINGS).param_groups
    assert [tuple(p.shape) for p in decaying["params"]] == [(2, 1, 3, 3)]
    assert decaying["weight_decay"] == 0.1
    assert [tuple(p.shape) for p in other["params"]] == [(2,), (2,), (2,), (1,)]
    assert other["weight_decay"] == 0


def test_the_rate_is_set_for_every_group() -> None:
    optimizer = build_optimizer(nn.Linear(2, 1), SETTINGS)
    set_learning_rate(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.25]
    assert isinstance(optimizer, torch.optim.AdamW)
