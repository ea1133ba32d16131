import math

import pytest
import torch
from torch.nn import functional

from trainer.losses.auxiliary import task_losses

NAN = math.nan
LN2, LN3 = math.log(2), math.log(3)


def test_classes_cost_one_softmax_worked_by_hand() -> None:
    outputs = torch.tensor([[LN2, 0.0, 0.0, 0.0], [0.0, LN3, 0.0, 0.0], [9.0, 9.0, 9.0, 9.0]])
    losses = task_losses(outputs, torch.tensor([0.0, 2.0, NAN]), "density")
    # softmax is 2/5, 1/5 ... and 1/6, 3/6, 1/6 ...; a second softmax would make 1.240 and 1.481
    assert losses.tolist() == pytest.approx([math.log(5 / 2), math.log(6), 0.0])


def test_classes_cost_the_cross_entropy_of_torch() -> None:
    outputs = torch.randn(20, 7, generator=torch.Generator().manual_seed(3))
    classes = torch.arange(20) % 8 - 1
    expected = functional.cross_entropy(outputs, classes, ignore_index=-1, reduction="none")
    targets = torch.where(classes >= 0, classes.float(), NAN)
    torch.testing.assert_close(task_losses(outputs, targets, "birads"), expected)


def test_age_costs_its_distance_as_a_share_of_a_century() -> None:
    outputs = torch.tensor([[LN3], [0.0], [0.0]])
    losses = task_losses(outputs, torch.tensor([0.60, 0.58, NAN]), "age")
    assert losses.tolist() == pytest.approx([0.15, 0.08, 0.0])


def test_an_implant_costs_binary_cross_entropy() -> None:
    outputs = torch.tensor([[LN3], [LN3], [LN3]])
    losses = task_losses(outputs, torch.tensor([1.0, 0.0, NAN]), "implant")
    assert losses.tolist() == pytest.approx([math.log(4 / 3), math.log(4), 0.0])


@pytest.mark.parametrize(
    ("task", "width"), [("age", 1), ("birads", 7), ("density", 4), ("view", 4), ("implant", 1)]
)
def test_an_unknown_target_gives_no_gradient(task: str, width: int) -> None:
    outputs = torch.randn(2, width, generator=torch.Generator().manual_seed(1)).requires_grad_()
    losses = task_losses(outputs, torch.tensor([NAN, 1.0]), task)
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert outputs.grad is not None
    assert torch.equal(outputs.grad[0], torch.zeros(width))
    assert outputs.grad[1].abs().sum() > 0
