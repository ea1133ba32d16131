"""The pass that orders the buckets leaves no trace."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from trainer.distributed import World
from trainer.learner import Learner
from trainer.losses.loss import build_loss
from trainer.losses.settings import LossSettings
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings
from trainer.optim.speed import build_scaler
from trainer.rehearsal import rehearse
from trainer.settings import TrainSettings


class Counted(nn.Module):
    """A network with batch norm that counts its passes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten())
        self.passes = 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        outputs: torch.Tensor = self.layers(images)
        return outputs


@pytest.fixture
def group(tmp_path: Path) -> Iterator[None]:
    """A process group of this process alone."""
    distributed.init_process_group("gloo", f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def make_learner(model: nn.Module, parallel: nn.Module) -> Learner:
    world = World(0, 1, 1, torch.device("cpu"))
    return Learner(
        model=model,
        parallel=parallel,
        optimizer=build_optimizer(model, OptimSettings()),
        loss=build_loss(LossSettings(), 1.0),
        settings=TrainSettings(),
        world=world,
        stop=threading.Event(),
        scaler=build_scaler(world.device, "off"),
    )


@pytest.mark.usefixtures("group")
def test_it_leaves_weights_gradients_and_averages_alone() -> None:
    model = Counted()
    parallel = nn.parallel.DistributedDataParallel(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    learner = make_learner(model, parallel)
    rehearse(learner, torch.randn(4, 1, 5, 5), None)
    after = model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.passes == 1


@pytest.mark.usefixtures("group")
def test_each_wrap_of_the_network_has_one() -> None:
    model = Counted()
    learner = make_learner(model, nn.parallel.DistributedDataParallel(model))
    images = torch.randn(4, 1, 5, 5)
    for _ in range(3):
        rehearse(learner, images, None)
    learner.parallel = nn.parallel.DistributedDataParallel(model)
    rehearse(learner, images, None)
    assert model.passes == 2


def test_a_single_rank_needs_none() -> None:
    model = Counted()
    rehearse(make_learner(model, model), torch.randn(4, 1, 5, 5), None)
    assert model.passes == 0
