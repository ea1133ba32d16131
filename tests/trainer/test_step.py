import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from dali_pipelines.stages import Batch
from trainer.distributed import World
from trainer.learner import Learner
from trainer.losses.loss import build_loss
from trainer.losses.settings import LossSettings
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings, SpeedSettings
from trainer.optim.speed import build_scaler
from trainer.sampling_settings import DataSettings
from trainer.settings import TrainSettings
from trainer.step import Part, learn

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Beside(World):
    """One of two ranks, of which the other says `other` wherever they sum."""

    other: float = 0.0

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values + self.other


def _learner(world: World, *, sync_bn: bool) -> Learner:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 1))
    settings = TrainSettings(
        optim=OptimSettings(), data=DataSettings(batch=4), speed=SpeedSettings(sync_bn=sync_bn)
    )
    return Learner(
        model=model,
        parallel=model,
        optimizer=build_optimizer(model, settings.optim),
        loss=build_loss(LossSettings(), 1.0),
        settings=settings,
        world=world,
        stop=threading.Event(),
        scaler=build_scaler(CPU, "off"),
    )


def _part(valid: int) -> Part:
    """Four slots of which the first `valid` hold an image."""
    there = torch.arange(4) < valid
    batch = Batch(torch.rand(4, 1, 8, 8), there, np.arange(4), ("a", "b", "c", "d"))
    return Part(batch, torch.ones(4, 1), epoch=0, positions=np.arange(4), seed=1)


@pytest.mark.parametrize(
    ("sync_bn", "valid", "other", "learns"),
    [
        (False, 3, 0.0, 1),
        (False, 0, 1.0, 0),  # each rank for itself
        (True, 3, 1.0, 1),
        (True, 3, 0.0, 0),  # the other would not come to where this one waits
        (True, 0, 1.0, 0),
    ],
)
def test_batch_norm_that_is_shared_sees_a_batch_on_all_ranks_or_on_none(
    sync_bn: bool, valid: int, other: float, learns: int
) -> None:
    learner = _learner(Beside(0, 2, 2, CPU, other), sync_bn=sync_bn)
    assert learn(learner, _part(valid), is_last=True) == valid
    assert learner.model.get_buffer("1.num_batches_tracked").item() == learns
