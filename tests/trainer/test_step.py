"""A step on a GPU, as far as that shows without one: on tensors that hold no numbers."""

import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Batch
from trainer import step
from trainer.distributed import World
from trainer.learner import build_learner
from trainer.losses.settings import LossSettings, TaskSettings
from trainer.losses.tasks import output_count
from trainer.networks.arguments import model_args
from trainer.networks.settings import ModelSettings
from trainer.sampling_settings import DataSettings
from trainer.settings import TrainSettings

DEVICE = torch.device("meta")  # reading a value of it raises


class Copies(TorchDispatchMode):
    """Notes each copy from the host to the device, and whether the host waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[bool] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ == "_to_copy" and kwargs.get("device") == DEVICE:
            self.waits += [not kwargs.get("non_blocking")] if args[0].device.type == "cpu" else []
        return func(*args, **kwargs)


@pytest.mark.parametrize("unit", ["image", "breast"])
def test_a_step_never_waits_for_the_device(unit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "precision", lambda *_: nullcontext())  # "meta" has no autocast
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda _: False)
    settings = TrainSettings(
        model=ModelSettings("test_resnet", unit=unit),
        data=DataSettings(batch=4),
        loss=LossSettings(tasks=TaskSettings(age=1)),
    )
    args = model_args(settings.model, 1, (32, 32), output_count(("age",)))
    recipe = Recipe("t", resize=ResizeSettings(size=(32, 32)))
    world = World(0, 1, 1, DEVICE)
    learner = build_learner(settings, args, recipe, 1.0, world, threading.Event())
    count = 4 * settings.model.views
    valid = torch.arange(count) != 1
    images = torch.empty(count, 1, 32, 32, device=DEVICE)
    batch = Batch(images, valid, np.arange(count), ("",) * count)
    part = step.Part(batch, torch.zeros(4, 2), 0, np.arange(count), 0)
    with Copies() as copies:
        units = step.learn(learner, part, is_last=True)
    assert units == (3 if unit == "image" else 4)
    assert copies.waits
    assert not any(copies.waits)
