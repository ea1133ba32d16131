"""What the trainer adds to a step of its own: its pass over resident data against a bare loop.

Both train the same network with the same optimizer on one batch that is ready: the trainer through
`train_pass` with a source that hands the batch out, the other as forward, loss, backward, clipping
and step alone. They take turns in one process, and each turn is timed to its last operation on the
device. A tiny network beside a usual one shows the trainer's own time undisturbed. Beside the wall
clock it reads the processor time of this process, which other programs on the machine disturb less.
"""

import argparse
import itertools
import json
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import nn

from benchmarks.machine import machine_facts
from benchmarks.timing import round_off, spread
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import Blocks, sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reject
from trainer.arithmetic import fixed_arithmetic
from trainer.distributed import World, find_device
from trainer.epoch import Lesson, Pass, train_pass
from trainer.learner import build_learner
from trainer.networks.arguments import model_args
from trainer.networks.build import build_model, logits_of
from trainer.networks.settings import ModelSettings
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings, SpeedSettings
from trainer.optim.speed import precision
from trainer.sampling_settings import DataSettings
from trainer.settings import TrainSettings
from trainer.units import Units

RESULT: Final = Path(__file__).parent / "results" / "train_overhead.json"
TINY: Final = ("test_resnet", (32, 32))  # its step takes about as long as the trainer's own work
LIMIT: Final = 0.03  # what may be added to a step

Turn = tuple[float, float]  # milliseconds of a step: of the wall clock, of the processor


@dataclass(frozen=True, slots=True)
class Case:
    """A network of timm, the size (H, W) of its images, and how many are a batch."""

    model: str
    size: tuple[int, int]
    batch: int
    world: World

    @property
    def settings(self) -> TrainSettings:
        """The trainer's defaults otherwise, but at one rate: both then take the same steps."""
        return TrainSettings(
            model=ModelSettings(self.model),
            data=DataSettings(batch=self.batch),
            optim=OptimSettings(schedule="constant", warmup_share=0),
        )

    @property
    def args(self) -> dict[str, Any]:
        """What builds the network, for one channel."""
        return model_args(self.settings.model, 1, self.size)

    def images(self) -> tuple[torch.Tensor, torch.Tensor]:
        """A batch (N, 1, H, W) of noise on the device, and labels (N,), every other 1."""
        torch.manual_seed(0)
        images = torch.randn((self.batch, 1, *self.size), device=self.world.device)
        return images, torch.arange(self.batch, device=self.world.device) % 2


@dataclass(frozen=True, slots=True)
class Resident:
    """A source that gives the same batch for every block."""

    batch: Batch

    @property
    def rejects(self) -> list[Reject]:
        """None: the batch is there."""
        return []

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """The batch, as often as there are blocks."""
        return itertools.repeat(self.batch, len(blocks))


def bare_steps(case: Case) -> Iterator[None]:
    """Steps without end, one an item, of nothing but what learning needs."""
    settings, device = case.settings, case.world.device
    images, labels = case.images()
    targets = labels.float()
    model = build_model(case.args).to(device).train()
    optimizer = build_optimizer(model, settings.optim)
    while True:
        with precision(device, settings.speed.amp):
            logits = logits_of(model, images)
        nn.functional.binary_cross_entropy_with_logits(logits, targets).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), settings.optim.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)  # here as in the trainer: memory is given back alike
        yield


def trainer_steps(case: Case, steps: int) -> Iterator[object]:
    """As many steps of the trainer, one an item."""
    images, labels = case.images()
    valid = torch.ones(case.batch, dtype=torch.bool)
    places = np.arange(case.batch * steps)
    batch = Batch(images, valid, places[: case.batch], ("",) * case.batch)
    targets = labels.cpu().float().repeat(steps)[:, None]
    units = Units(places[:, None], np.zeros(len(places), np.int64), places)
    recipe = Recipe("resident", resize=ResizeSettings(size=case.size))
    learner = build_learner(case.settings, case.args, recipe, 1.0, case.world, threading.Event())
    lesson = Lesson(0, sequential_blocks(len(places), case.batch), units, targets)
    return train_pass(learner, Resident(batch), lesson, Pass(0, 0))


def measure(case: Case, turns: int, steps: int) -> dict[str, Any]:
    """Milliseconds of a step of both, over `turns` turns of `steps` steps, and what is added."""
    warm_up = 2
    ours, bare = trainer_steps(case, (turns + warm_up) * steps), bare_steps(case)
    taken: dict[str, list[Turn]] = {"trainer": [], "bare": []}
    for turn in range(turns + warm_up):
        pair = [("trainer", ours), ("bare", bare)]
        for name, run in pair if turn % 2 else pair[::-1]:
            found = _turn(run, steps, case.world.device)
            if turn >= warm_up:
                taken[name].append(found)
    wall, cpu = ([[turn[k] for turn in found] for found in taken.values()] for k in range(2))
    row = {"model": case.model, "size": list(case.size), "batch": case.batch}
    return (
        row | _compared(*wall) | {f"cpu_{name}": found for name, found in _compared(*cpu).items()}
    )


def _compared(trainer_ms: list[float], bare_ms: list[float]) -> dict[str, Any]:
    """The spread of both, and what the median of the first is above that of the second."""
    ours, bare = statistics.median(trainer_ms), statistics.median(bare_ms)
    return {
        "trainer_ms": spread(trainer_ms),
        "bare_ms": spread(bare_ms),
        "added_ms": round_off(ours - bare),
        "added_share": round_off(ours / bare - 1),
    }


def _turn(run: Iterator[object], steps: int, device: torch.device) -> Turn:
    """Milliseconds of a step by both clocks, from an idle device to an idle device."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(steps):
        next(run)
    if device.type == "cuda":
        torch.cuda.synchronize()
    taken_s = (time.perf_counter() - wall_s, time.process_time() - cpu_s)
    return taken_s[0] / steps * 1e3, taken_s[1] / steps * 1e3


def main() -> None:
    """Measure a usual and a tiny network, write the result, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", default="256x128", help="of the images, HxW")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--steps", type=int, default=2, help="steps a turn")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    height, width = (int(edge) for edge in options.size.split("x"))
    world = World(0, 1, 1, find_device(options.device))
    usual = Case(options.model, (height, width), options.batch, world)
    rows = []
    with fixed_arithmetic(world, options.threads, SpeedSettings()):
        for case in (usual, Case(*TINY, options.batch, world)):
            rows.append(measure(case, options.turns, options.steps))
            print(rows[-1])
    about = {"device": world.device.type, "threads": options.threads, "turns": options.turns}
    content = {"machine": machine_facts(), **about, "limit": LIMIT, "rows": rows}
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
