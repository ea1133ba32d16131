import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from trainer.losses.cancer import focal_losses, smoothed, soft_fbeta_loss
from trainer.losses.settings import LossSettings
from trainer.metrics.probability import probabilistic_f
from trainer.metrics.ranked import Draws

LN3 = math.log(3)  # sigmoid(ln 3) = 3/4
LOGITS = torch.tensor([LN3, LN3, -LN3, 0.0])
LABELS = torch.tensor([1.0, 0.0, 1.0, 0.0])
ALL = torch.ones(4, dtype=torch.bool)

logits = st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=8)

_examples = settings(max_examples=30, deadline=None)


def _draw(values: list[float], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    labels = np.random.default_rng(seed).integers(0, 2, len(values))
    return torch.tensor(values), torch.from_numpy(labels.astype(np.float32))


def test_cross_entropy_worked_by_hand() -> None:
    losses = focal_losses(LOGITS, LABELS, pos_weight=1, gamma=0)
    # -log 3/4, -log 1/4, -log 1/4, -log 1/2
    assert losses.tolist() == pytest.approx([0.287682, 1.386294, 1.386294, 0.693147], abs=1e-6)
    # the weighted cross-entropy of the seeds: -(5 y log p + (1 - y) log(1 - p))
    weighted = focal_losses(LOGITS, LABELS, pos_weight=5, gamma=0)
    assert weighted.tolist() == pytest.approx([1.438410, 1.386294, 6.931472, 0.693147], abs=1e-6)


def test_focal_loss_worked_by_hand() -> None:
    losses = focal_losses(LOGITS, LABELS, pos_weight=1, gamma=2)
    # (1/4)^2 of the first cross-entropy above, (3/4)^2 of the next two, (1/2)^2 of the last
    assert losses.tolist() == pytest.approx([0.017980, 0.779790, 0.779790, 0.173287], abs=1e-6)


@_examples
@given(logits, st.integers(0, 99), st.floats(0.1, 50))
def test_cross_entropy_is_that_of_torch(values: list[float], seed: int, weight: float) -> None:
    x, t = _draw(values, seed)
    expected = functional.binary_cross_entropy_with_logits(
        x, t, reduction="none", pos_weight=torch.tensor(weight)
    )
    torch.testing.assert_close(focal_losses(x, t, weight, 0), expected)


@_examples
@given(logits, st.integers(0, 99), st.floats(0.25, 5))
def test_focal_loss_is_that_of_torchvision(values: list[float], seed: int, gamma: float) -> None:
    x, t = _draw(values, seed)
    expected = sigmoid_focal_loss(x.double(), t.double(), alpha=-1, gamma=gamma)
    torch.testing.assert_close(focal_losses(x.double(), t.double(), 1, gamma), expected)


@_examples
@given(logits, st.floats(0, 1), st.floats(1, 20), st.floats(0, 3))
def test_a_soft_target_costs_what_is_expected_of_its_draws(
    values: list[float], share: float, weight: float, gamma: float
) -> None:
    x = torch.tensor(values)
    soft = focal_losses(x, torch.full_like(x, share), weight, gamma)
    one = focal_losses(x, torch.ones_like(x), weight, gamma)
    zero = focal_losses(x, torch.zeros_like(x), weight, gamma)
    torch.testing.assert_close(soft, share * one + (1 - share) * zero)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_gradients_are_those_of_finite_differences_and_finite_far_out(gamma: float) -> None:
    x = torch.tensor([-3.0, -0.2, 0.0, 1.7], dtype=torch.float64, requires_grad=True)
    t = torch.tensor([1.0, 0.0, 0.3, 1.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda logits: focal_losses(logits, t, 3.0, gamma), (x,))
    far = torch.tensor([-100.0, 100.0, -100.0, 100.0], requires_grad=True)
    losses = focal_losses(far, torch.tensor([0.0, 1.0, 1.0, 0.0]), 1.0, gamma)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert losses.tolist() == pytest.approx([0, 0, 100, 100])
    assert far.grad is not None
    assert far.grad.tolist() == pytest.approx([0, 0, -1, 1])


def test_smoothing_moves_both_sides_or_positives_alone() -> None:
    targets = torch.tensor([0.0, 1.0, 0.5])
    both = smoothed(targets, LossSettings(smooth=0.1))
    assert both.tolist() == pytest.approx([0.05, 0.95, 0.5])
    positive = smoothed(targets, LossSettings(smooth=0.1, smooth_side="positive"))
    assert positive.tolist() == pytest.approx([0.0, 0.9, 0.45])
    assert torch.equal(smoothed(targets, LossSettings()), targets)


def test_soft_fbeta_worked_by_hand() -> None:
    # p = 3/4, 3/4, 1/4, 1/2: true mass 1, mass 9/4, 2 positives
    assert soft_fbeta_loss(LOGITS, LABELS, ALL, beta=1).item() == pytest.approx(1 - 2 / 4.25)
    assert soft_fbeta_loss(LOGITS, LABELS, ALL, beta=2).item() == pytest.approx(1 - 5 / 10.25)


@_examples
@given(logits, st.integers(0, 99), st.sampled_from([0.5, 1.0, 2.0]))
def test_soft_fbeta_is_one_less_the_metric(values: list[float], seed: int, beta: float) -> None:
    x, t = _draw([*values, 0.0], seed)
    t[-1] = 1.0
    rows = Draws.once(t.long().numpy(), x.double().sigmoid().numpy())
    expected = probabilistic_f(rows, beta)[0]
    valid = torch.ones(len(x), dtype=torch.bool)
    assert soft_fbeta_loss(x, t, valid, beta).item() == pytest.approx(1 - expected, abs=1e-5)


@pytest.mark.parametrize("labels", [torch.zeros(4), LABELS])
def test_soft_fbeta_of_no_positive_or_no_sample_teaches_nothing(labels: torch.Tensor) -> None:
    x = LOGITS.clone().requires_grad_()
    valid = ALL if not labels.any() else ~ALL
    loss = soft_fbeta_loss(x, labels, valid, beta=1)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 1
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros(4))
