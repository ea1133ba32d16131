import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.build import outputs_of
from trainer.networks.memory import use_checkpointing

Build = Callable[..., nn.Module]


def step(model: nn.Module, images: torch.Tensor, present: torch.Tensor | None) -> int:
    """Forward and backward; the bytes that were kept for the latter."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.nbytes
        return tensor

    torch.manual_seed(1)  # dropout is the same in both passes and both networks
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = outputs_of(model, images, present)
    bytes_kept = sum(kept.values())
    outputs.square().sum().backward()
    return bytes_kept


@pytest.mark.parametrize("unit", ["image", "exam"])
@pytest.mark.parametrize("name", ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"])
def test_results_stay_and_memory_does_not(build: Build, name: str, unit: str) -> None:
    plain = build(name, unit=unit, drop=0.2, drop_path=0.2)
    thrifty = copy.deepcopy(plain)
    use_checkpointing(thrifty)
    images = torch.randn(8, 1, 64, 48)
    present = None if unit == "image" else torch.ones(2, 4).bool()
    for _ in range(2):
        before, after = step(plain, images, present), step(thrifty, images, present)
        assert after < before
    state = thrifty.state_dict()  # the averages of batch norm and their counts too
    assert all(torch.equal(value, state[name]) for name, value in plain.state_dict().items())
    for one, other in zip(plain.parameters(), thrifty.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


def test_batch_norm_goes_on_counting_afterwards(build: Build) -> None:
    model = build("test_resnet")
    use_checkpointing(model)
    for _ in range(3):
        step(model, torch.randn(4, 1, 64, 48), None)
    counts = {int(v) for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
    assert counts == {3}
    assert {m.momentum for m in model.modules() if isinstance(m, nn.BatchNorm2d)} == {0.1}


def test_a_network_without_blocks_is_refused() -> None:
    with pytest.raises(ConfigError, match="checkpointing does not fit a Linear"):
        use_checkpointing(nn.Linear(2, 1))
