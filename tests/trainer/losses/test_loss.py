import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.errors import ConfigError
from trainer.losses.loss import build_loss, positive_weight
from trainer.losses.settings import LossSettings, TaskSettings
from trainer.losses.tasks import output_count

NAN, INF = math.nan, math.inf
LN3 = math.log(3)
TASKS = TaskSettings(age=10, birads=0.3, density=0.3, view=0.5, implant=1)
KINDS = {
    "bce": LossSettings(pos_weight=20, smooth=0.1, scale=10, tasks=TASKS),
    "focal": LossSettings(kind="focal", pos_weight=3, focal_gamma=0.5, tasks=TASKS),
    "soft-fbeta": LossSettings(kind="soft-fbeta", beta=2, tasks=TASKS),
}
SUMS = ("bce", "focal")
_examples = settings(max_examples=30, deadline=None)


def _batch(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    outputs = rng.normal(0, 2, (count, output_count(TASKS.used)))
    targets = np.stack(
        [
            rng.random(count),
            rng.random(count),
            rng.integers(0, 7, count),
            rng.integers(0, 4, count),
            rng.integers(0, 4, count),
            rng.integers(0, 2, count),
        ],
        axis=1,
    ).astype(np.float32)
    unknown = rng.random(targets.shape) < 0.3
    unknown[:, 0] = False
    targets[unknown] = NAN
    return torch.from_numpy(outputs.astype(np.float32)), torch.from_numpy(targets)


def _run(
    kind: LossSettings, outputs: torch.Tensor, targets: torch.Tensor, valid: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    leaf = outputs.clone().requires_grad_()
    loss = build_loss(kind, positive_weight(kind, np.array([0, 1])))(leaf, targets, valid)
    loss.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    return loss.detach(), leaf.grad


def test_cancer_and_tasks_worked_by_hand() -> None:
    kind = LossSettings(pos_weight=5, scale=10, tasks=TaskSettings(age=10, implant=2))
    outputs = torch.tensor([[LN3, 0.0, LN3], [0.0, LN3, 0.0], [INF, NAN, NAN]])
    targets = torch.tensor([[1.0, 0.6, 0.0], [0.0, NAN, 1.0], [1.0, 0.6, 0.0]])
    loss = build_loss(kind, 5.0)(outputs, targets, torch.tensor([True, True, False]))
    cancer = 10 * (5 * math.log(4 / 3) + math.log(2))
    age = 10 * abs(0.5 - 0.6)
    implant = 2 * (math.log(4) + math.log(2))
    assert loss.item() == pytest.approx(cancer + age + implant)
    assert loss.dtype == torch.float32
    assert loss.shape == ()


@pytest.mark.parametrize("kind", KINDS)
@_examples
@given(st.integers(1, 9), st.integers(0, 999), st.sampled_from([NAN, INF, -INF, 1e30]))
def test_empty_slots_never_leak(kind: str, count: int, seed: int, filling: float) -> None:
    outputs, targets = _batch(count, seed)
    valid = torch.from_numpy(np.random.default_rng(seed).random(count) < 0.6)
    expected, wanted = _run(KINDS[kind], outputs[valid], targets[valid], valid[valid])
    dirty, told = outputs.clone(), targets.clone()
    dirty[~valid], told[~valid] = filling, filling
    loss, gradient = _run(KINDS[kind], dirty, told, valid)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient[valid], wanted)
    assert torch.equal(gradient[~valid], torch.zeros_like(gradient[~valid]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("filling", [0.0, NAN, INF])
def test_a_batch_without_a_sample_gives_exactly_zero(kind: str, filling: float) -> None:
    outputs, targets = _batch(4, 0)
    outputs[:], targets[:] = filling, filling
    loss, gradient = _run(KINDS[kind], outputs, targets, torch.zeros(4, dtype=torch.bool))
    assert loss.item() == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("kind", SUMS)
@_examples
@given(st.integers(2, 12), st.integers(0, 999))
def test_the_sum_of_parts_is_the_sum_of_the_whole(kind: str, count: int, seed: int) -> None:
    outputs, targets = _batch(count, seed)
    valid = torch.from_numpy(np.random.default_rng(seed).random(count) < 0.8)
    whole, gradient = _run(KINDS[kind], outputs, targets, valid)
    cut = count // 3
    parts = [
        _run(KINDS[kind], outputs[part], targets[part], valid[part])
        for part in (slice(0, cut), slice(cut, count))
    ]
    torch.testing.assert_close(parts[0][0] + parts[1][0], whole)
    torch.testing.assert_close(torch.cat([part[1] for part in parts]), gradient)


def test_soft_fbeta_weighs_as_its_valid_samples() -> None:
    kind = LossSettings(kind="soft-fbeta", scale=3)
    outputs = torch.tensor([[LN3], [-LN3], [0.0], [50.0]])
    targets = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    loss, _ = _run(kind, outputs, targets, torch.tensor([True, True, True, False]))
    # true mass 5/4, mass 3/2, 2 positives: F = 2 * 5/4 / (2 + 3/2) = 5/7
    assert loss.item() == pytest.approx(3 * 3 * 2 / 7)


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_of_reduced_precision_are_summed_in_full(kind: str) -> None:
    outputs, targets = _batch(300, 1)
    valid = torch.ones(300, dtype=torch.bool)
    half = outputs.bfloat16()
    loss, _ = _run(KINDS[kind], half, targets, valid)
    expected, _ = _run(KINDS[kind], half.float(), targets, valid)
    assert torch.equal(loss, expected)


def test_no_step_of_the_loss_waits_for_the_device() -> None:
    outputs, targets = _batch(5, 2)
    valid = torch.ones(5, dtype=torch.bool, device="meta")  # on which reading a value raises
    for kind in KINDS.values():
        loss = build_loss(kind, 2.0)(outputs.to("meta"), targets.to("meta"), valid)
        assert loss.shape == ()


def test_the_weight_of_positives_is_theirs_to_the_negatives() -> None:
    auto = LossSettings(pos_weight="auto")
    assert positive_weight(auto, np.array([1, 0, 0, 1, 0, 0, 0, 0])) == 3
    assert positive_weight(LossSettings(pos_weight=7.5), np.array([0])) == 7.5
    for labels in ([0, 0], [1]):
        with pytest.raises(ConfigError, match=r"loss\.pos_weight must be a number here"):
            positive_weight(auto, np.array(labels))
