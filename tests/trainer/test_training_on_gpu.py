"""Training where a GPU does the work, and the same checks on the CPU.

REQUIRE_GPU=1 makes the absence of a GPU a failure.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from dali_pipelines.plan import Blocks, sequential_blocks
from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reject
from tests.trainer.toy_runs import RECIPE, SETTINGS
from trainer.augment.presets import load_preset
from trainer.distributed import Device, World, find_device
from trainer.epoch import Lesson, Pass, train_pass
from trainer.learner import build_learner
from trainer.networks.arguments import model_args
from trainer.optim.settings import AverageSettings, SpeedSettings
from trainer.units import Units


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Device:
    """Where the network learns."""
    if request.param == "gpu" and not torch.cuda.is_available():
        (pytest.fail if os.environ.get("REQUIRE_GPU") == "1" else pytest.skip)("torch finds no GPU")
    chosen: Device = request.param
    return chosen


class _Resident:
    """Gives one batch that lies on the device again and again."""

    def __init__(self, batch: Batch) -> None:
        self.rejects: list[Reject] = []
        self._batch = batch

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """The same batch for each block."""
        for _ in blocks:
            yield self._batch


@contextmanager
def _waiting_forbidden(place: torch.device) -> Iterator[None]:
    """A stretch in which a wait for the GPU is an error."""
    if place.type != "cuda":
        yield
        return
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_run_taken_up_is_the_same_to_the_bit(toy_runs: Any, device: Device) -> None:
    toy_runs.device = device
    toy_runs.assert_survives(
        3,
        augment=load_preset("strong"),
        average=AverageSettings(ema=0.9),
        speed=SpeedSettings(channels_last=True, deterministic=True),
    )


def test_it_learns_what_the_cpu_learns(toy_runs: Any, device: Device) -> None:
    reference = toy_runs("cpu", speed=SpeedSettings(amp="off"))
    toy_runs.device = device
    other = toy_runs("other", speed=SpeedSettings(amp="off", deterministic=True))
    expected, found = (run.history[0]["train/loss"] for run in (reference, other))
    assert found == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_half_precision_learns(toy_runs: Any, device: Device, amp: Any) -> None:
    if device == "cpu" and amp == "fp16":
        pytest.skip("a CPU has no loss scaling to try")
    toy_runs.device = device
    result = toy_runs("half", epochs=4, speed=SpeedSettings(amp=amp))
    losses = [row["train/loss"] for row in result.history]
    assert losses[-1] < losses[0]


def test_steps_never_wait_for_the_device(device: Device) -> None:
    """Each wait is an error while the passes run; every slot is filled, as in most batches."""
    place = find_device(device)
    settings = replace(SETTINGS, augment=load_preset("light"))
    args = model_args(settings.model, 1, RECIPE.size)
    world = World(0, 1, 1, place)
    learner = build_learner(settings, args, RECIPE, 1.0, world, threading.Event())
    count = settings.data.batch
    valid = torch.ones(count, dtype=torch.bool)
    images = torch.randn(count, 1, *RECIPE.size, device=place)
    batch = Batch(images, valid, np.arange(count), ("",) * count)
    places = np.arange(4 * count)
    units = Units(places[:, None], places % 2, places)
    targets = torch.from_numpy((places % 2).astype(np.float32))[:, None]
    lesson = Lesson(0, sequential_blocks(len(places), count), units, targets)
    steps = train_pass(learner, _Resident(batch), lesson, Pass(0, 0))
    next(steps)  # the first step loads kernels and makes the optimizer's state
    with _waiting_forbidden(place):
        assert [step.units for step in steps] == [count] * 3
    assert np.isfinite(learner.tally.values()).all()
