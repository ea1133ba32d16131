import threading

import pytest
import torch
from torch import nn

from trainer.distributed import World
from trainer.learner import Learner
from trainer.losses.loss import build_loss
from trainer.losses.settings import LossSettings
from trainer.optim.settings import OptimSettings
from trainer.optim.speed import build_scaler
from trainer.settings import TrainSettings


@pytest.mark.parametrize(
    ("clip_norm", "step"),
    [(1.0, [0.6, 0.8]), (10.0, [3.0, 4.0]), (0.0, [3.0, 4.0])],
    ids=["clipped", "short enough", "off"],
)
def test_gradients_are_clipped_to_a_norm(clip_norm: float, step: list[float]) -> None:
    """Half a gradient of (6, 8) has norm 5; plain descent at a rate of 1 shows it as it is used."""
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    model.weight.grad = torch.tensor([[6.0, 8.0]])
    world = World(0, 1, 1, torch.device("cpu"))
    learner = Learner(
        model=model,
        parallel=model,
        optimizer=torch.optim.SGD(model.parameters(), lr=1.0),
        loss=build_loss(LossSettings(), 1.0),
        settings=TrainSettings(optim=OptimSettings(clip_norm=clip_norm)),
        world=world,
        stop=threading.Event(),
        scaler=build_scaler(world.device, "off"),
    )
    learner.update(0.5)
    assert (-model.weight).flatten().tolist() == pytest.approx(step, rel=1e-4)
