import pytest
import torch
from torch.nn import functional

from trainer.losses.masked import masked_bce

LOGITS = torch.tensor([0.3, -1.2, 2.0, -0.4, 0.7])
TARGETS = torch.tensor([1.0, 0.0, 0.0, 1.0, 1.0])
VALID = torch.tensor([True, False, True, True, False])


def test_the_masked_loss_and_gradient_are_those_of_the_valid_slots_alone() -> None:
    masked = LOGITS.clone().requires_grad_()
    loss = masked_bce(masked, TARGETS, VALID, 3)
    loss.backward()  # type: ignore[no-untyped-call]
    plain = LOGITS[VALID].clone().requires_grad_()
    expected = functional.binary_cross_entropy_with_logits(plain, TARGETS[VALID])
    expected.backward()  # type: ignore[no-untyped-call]
    assert masked.grad is not None
    assert plain.grad is not None
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(masked.grad[VALID], plain.grad)
    assert torch.equal(masked.grad[~VALID], torch.zeros(2))


def test_a_batch_without_valid_slots_gives_zero_and_zero_gradients() -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = masked_bce(logits, TARGETS, torch.zeros(5, dtype=torch.bool), 0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.equal(logits.grad, torch.zeros(5))


def test_ranks_that_average_gradients_get_the_global_mean() -> None:
    halves = [
        masked_bce(LOGITS[part], TARGETS[part], VALID[part], 3 / 2)
        for part in (slice(0, 2), slice(2, 5))
    ]
    whole = masked_bce(LOGITS, TARGETS, VALID, 3)
    assert torch.stack(halves).mean().item() == pytest.approx(whole.item())
