import copy

import pytest
import torch
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.optim.averages import average_weights, build_ema
from trainer.optim.settings import AverageSettings


def _set(model: nn.Module, value: float) -> None:
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(int(value) if tensor.dtype == torch.int64 else value)


def test_no_average_is_kept_unless_asked_for() -> None:
    assert build_ema(nn.Linear(1, 1), AverageSettings()) is None


def test_the_average_follows_weights_and_batch_norm() -> None:
    """By hand: step 1 copies 1; then 0.9 * 1 + 0.1 * 2 = 1.1 and 0.9 * 1.1 + 0.1 * 3 = 1.29."""
    model = nn.BatchNorm1d(2)
    ema = build_ema(model, AverageSettings(ema=0.9, ema_warmup=False))
    assert ema is not None
    for step, value in enumerate((1, 2, 3), start=1):
        _set(model, value)
        ema.update(model, step)
    state = ema.module.state_dict()
    assert state["weight"].tolist() == pytest.approx([1.29, 1.29])
    assert state["running_var"].tolist() == pytest.approx([1.29, 1.29])
    assert state["num_batches_tracked"].item() == 3
    assert not ema.module.training


def test_the_average_warms_up() -> None:
    """By hand: at step 8 the decay is 1 - 8^(-2/3) = 0.75, and from step 32 on 0.9."""
    model = nn.Linear(1, 1)
    ema = build_ema(model, AverageSettings(ema=0.9))
    assert ema is not None
    for step, wanted in ((8, 0.25), (32, 0.1), (1000, 0.1)):
        _set(ema.module, 0.0)
        _set(model, 1.0)
        ema.update(model, step)
        assert ema.module.weight.item() == pytest.approx(wanted)


def test_the_average_goes_on_from_its_weights_alone() -> None:
    model = nn.Linear(3, 2)
    settings = AverageSettings(ema=0.99)
    whole, first = build_ema(model, settings), build_ema(model, settings)
    second = build_ema(nn.Linear(3, 2), settings)
    assert whole is not None
    assert first is not None
    assert second is not None
    for step in range(1, 7):
        _set(model, step**0.5)
        whole.update(model, step)
        if step == 3:
            first.update(model, step)
            first.module.load_state_dict(whole.module.state_dict())
            second.module.load_state_dict(copy.deepcopy(first.module.state_dict()))
        elif step > 3:
            second.update(model, step)
    assert torch.equal(whole.module.weight, second.module.weight)


def test_weights_and_batch_norm_are_averaged_and_counts_kept() -> None:
    states = [
        {
            "weight": torch.tensor([1.0, value]),
            "running_var": torch.tensor([value], dtype=torch.float16),
            "num_batches_tracked": torch.tensor(int(value)),
        }
        for value in (7.0, 2.0, 3.0)
    ]
    mean = average_weights(iter(states))
    assert mean["weight"].tolist() == [1.0, 4.0]
    assert mean["running_var"].dtype == torch.float16
    assert mean["running_var"].item() == 4.0
    assert mean["num_batches_tracked"].item() == 7
    assert states[0]["weight"].tolist() == [1.0, 7.0]


def test_the_mean_is_not_summed_in_its_own_type() -> None:
    """In float32 the sum 2^24 + 1 would be 2^24, and the mean of ten times 0.1 not 0.1."""
    large = [{"w": torch.tensor([value])} for value in (2.0**24, 1.0, 1.0)]
    assert average_weights(large)["w"].item() == torch.tensor((2**24 + 2) / 3).item()
    tenth = torch.tensor([0.1])
    assert torch.equal(average_weights([{"w": tenth}] * 10)["w"], tenth)


@pytest.mark.parametrize(
    "other",
    [{"w": torch.zeros(2)}, {"v": torch.zeros(1)}, {"w": torch.zeros(1), "v": torch.zeros(1)}],
)
def test_different_networks_have_no_average(other: dict[str, torch.Tensor]) -> None:
    with pytest.raises(CheckpointError, match="differ in"):
        average_weights([{"w": torch.zeros(1)}, other])


def test_nothing_has_no_average() -> None:
    with pytest.raises(ValueError, match="nothing"):
        average_weights([])
