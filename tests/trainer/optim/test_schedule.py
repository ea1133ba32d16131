import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.scheduler import CosineLRScheduler, PolyLRScheduler, StepLRScheduler
from torch import nn
from torch.optim import lr_scheduler

from trainer.optim.schedule import learning_rate, set_learning_rate
from trainer.optim.settings import OptimSettings, Schedule

EPOCHS, WARM_UP = 20, 4  # in the run, and of those with a rate that rises
SETTINGS = OptimSettings(
    lr=0.8, warmup_share=WARM_UP / EPOCHS, warmup_lr=0.08, min_lr=0.02, factor=0.3, step_epochs=6
)
TIMM: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "cosine": lambda o: CosineLRScheduler(o, EPOCHS - WARM_UP, lr_min=0.02, **_warm_up(True)),
    "linear": lambda o: PolyLRScheduler(
        o, EPOCHS - WARM_UP, power=1.0, lr_min=0.02, **_warm_up(True)
    ),
    "poly": lambda o: PolyLRScheduler(
        o, EPOCHS - WARM_UP, power=0.9, lr_min=0.02, **_warm_up(True)
    ),
    "constant": lambda o: StepLRScheduler(o, 1, decay_rate=1.0, **_warm_up(True)),
    "restarts": lambda o: CosineLRScheduler(o, 6, lr_min=0.02, cycle_limit=9, **_warm_up(False)),
}


def _warm_up(prefix: bool) -> dict[str, Any]:
    return {"warmup_t": WARM_UP, "warmup_lr_init": 0.08, "warmup_prefix": prefix}


def _descent(lr: float = 0.8) -> torch.optim.SGD:
    return torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=lr)


def _steps(scheduler: Any, optimizer: torch.optim.Optimizer, count: int) -> list[float]:
    """The rates of a scheduler of torch before each of its steps."""
    rates = []
    for _ in range(count):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("schedule", TIMM)
def test_the_rate_is_that_of_timm(schedule: Any) -> None:
    theirs = TIMM[schedule](_descent())
    ours = [
        learning_rate(epoch / EPOCHS, replace(SETTINGS, schedule=schedule), EPOCHS)
        for epoch in range(EPOCHS)
    ]
    wanted = [theirs._get_lr(epoch)[0] for epoch in range(EPOCHS)]
    # a border between cycles, hit exactly, may round to the one or to the other side
    inside = [k for k in range(EPOCHS) if schedule != "restarts" or k % 6]
    assert [ours[k] for k in inside] == pytest.approx([wanted[k] for k in inside])


def test_steps_are_those_of_timm_and_end_at_the_least_rate() -> None:
    settings = replace(SETTINGS, schedule="step", min_lr=0.0)
    theirs = StepLRScheduler(_descent(), 6, decay_rate=0.3, **_warm_up(False))
    middles = [epoch + 0.5 for epoch in range(EPOCHS)]
    ours = [learning_rate(t / EPOCHS, settings, EPOCHS) for t in middles]
    assert ours == pytest.approx([theirs._get_lr(t)[0] for t in middles])
    assert ours[-1] == pytest.approx(0.8 * 0.3**3)
    assert learning_rate(1.0, replace(settings, min_lr=0.3), EPOCHS) == 0.3


def test_one_cycle_is_that_of_torch() -> None:
    """torch reaches the top at step pct * n - 1 and the bottom at step n - 1."""
    optimizer = _descent()
    with warnings.catch_warnings():  # torch minds that this is not called after a step
        theirs = lr_scheduler.OneCycleLR(
            optimizer, 0.8, total_steps=41, pct_start=11 / 41, cycle_momentum=False
        )
    settings = OptimSettings(
        lr=0.8,
        schedule="one-cycle",
        warmup_share=10 / 40,
        warmup_lr=0.8 / 25,
        min_lr=0.8 / 25 / 1e4,
    )
    ours = [learning_rate(step / 40, settings, EPOCHS) for step in range(41)]
    assert ours[:40] == pytest.approx(_steps(theirs, optimizer, 40))
    assert ours[10] == 0.8


def test_warm_restarts_are_those_of_torch() -> None:
    optimizer = _descent()
    theirs = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=25, eta_min=0.02)
    settings = replace(SETTINGS, schedule="restarts", warmup_share=0.0, step_epochs=5)
    # 5 steps an epoch; a hair later than the step, to be on the right side of each restart
    ours = [learning_rate((step + 1e-9) / 100, settings, EPOCHS) for step in range(100)]
    assert ours == pytest.approx(_steps(theirs, optimizer, 100), abs=1e-6)


@given(
    figures=st.lists(st.sampled_from([0.5, 0.6, 0.6000001, 0.7, 0.71, math.nan]), max_size=30),
    patience=st.integers(0, 4),
)
def test_the_plateau_is_that_of_torch(figures: list[float], patience: int) -> None:
    optimizer = _descent()
    theirs = lr_scheduler.ReduceLROnPlateau(
        optimizer, "max", factor=0.3, patience=patience, threshold=0.0, min_lr=0.02, eps=0
    )
    for figure in figures:
        theirs.step(figure)
    settings = replace(SETTINGS, schedule="plateau", patience=patience)
    ours = learning_rate(0.9, settings, EPOCHS, figures)
    assert ours == pytest.approx(optimizer.param_groups[0]["lr"])


@given(
    schedule=st.sampled_from(get_args(Schedule)),
    done=st.floats(0, 1.2),
    warm_up=st.floats(0, 0.9),
    figures=st.lists(st.none() | st.floats(0, 1), max_size=10),
)
def test_the_rate_stays_between_least_and_most(
    schedule: Any, done: float, warm_up: float, figures: list[float | None]
) -> None:
    settings = replace(SETTINGS, schedule=schedule, warmup_share=warm_up)
    assert 0.02 <= learning_rate(done, settings, EPOCHS, figures) <= 0.8


@pytest.mark.parametrize(
    ("done", "rate"),
    [(0, 0), (0.1, 0.5), (0.2, 1.0), (0.4, 0.85355), (0.6, 0.5), (1.0, 0.0), (1.3, 0.0)],
)
def test_the_rate_rises_linearly_and_falls_as_a_cosine(done: float, rate: float) -> None:
    settings = OptimSettings(lr=1.0, warmup_share=0.2)
    assert learning_rate(done, settings, EPOCHS) == pytest.approx(rate, abs=1e-5)


def test_a_run_without_warm_up_starts_at_the_full_rate() -> None:
    assert learning_rate(0.0, OptimSettings(lr=0.3, warmup_share=0), EPOCHS) == pytest.approx(0.3)


def test_the_plateau_is_lowered_only_after_the_warm_up() -> None:
    settings = replace(SETTINGS, schedule="plateau", patience=0)
    assert learning_rate(0.1, settings, EPOCHS, [0.9, 0.8]) == pytest.approx(0.44)
    assert learning_rate(0.5, settings, EPOCHS, [0.9, 0.8]) == pytest.approx(0.24)


def test_each_group_has_its_share_of_the_rate() -> None:
    weights = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    groups: list[dict[str, Any]] = [
        {"params": weights[:1], "lr_scale": 0.5},
        {"params": weights[1:]},
    ]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    set_learning_rate(optimizer, 0.3)
    assert [group["lr"] for group in optimizer.param_groups] == [0.15, 0.3]
