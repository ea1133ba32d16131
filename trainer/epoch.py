"""One pass that trains: the rest of an epoch's blocks, a step of all ranks at a time.

    blocks of units -> source -> batch -> step

A source gives one batch for each block; `dali_pipelines.loader.Loader` is the real one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from dali_pipelines.plan import Blocks, rank_blocks
from dali_pipelines.stages import Batch
from trainer.learner import Learner
from trainer.optim.schedule import learning_rate, set_learning_rate
from trainer.source import Source
from trainer.step import Part, finish, learn
from trainer.units import Units


@dataclass(frozen=True, slots=True)
class Lesson:
    """An epoch as all ranks share it: its global `blocks` of units, and their `targets` (U, T)."""

    epoch: int
    blocks: Blocks
    units: Units
    targets: torch.Tensor


@dataclass(frozen=True, slots=True)
class Pass:
    """The place of a training pass in its run, in blocks: before the epoch, and done of it.

    `figures` are the monitored ones of the epochs before.
    """

    before: int
    consumed: int
    figures: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of all ranks: blocks of the epoch done by then, and the units it was over.

    `stop` is true on every rank where any was asked to stop.
    """

    blocks: int
    units: int
    stop: bool


def train_pass(learner: Learner, source: Source, lesson: Lesson, at: Pass) -> Iterator[Step]:
    """Train on what is left of an epoch, and say so after each step.

    The caller may leave after any step; the state of `learner` and `Step.blocks` are then enough
    to go on with the same numbers.
    """
    world, window = learner.world, learner.settings.optim.accumulate
    mine = rank_blocks(lesson.blocks, world.rank, world.size, at.consumed)
    done, count, images = at.consumed, 0, 0
    batches = learner.timing.waits(source.run(lesson.units.images(mine)))
    for number, (units, batch) in enumerate(zip(mine, batches, strict=True)):
        if number % window == 0:
            _set_rate(learner, lesson, at, done, min(window, len(mine) - number))
        is_last = number % window == window - 1 or number == len(mine) - 1
        part = _part(learner, lesson, units, batch, at.before, done)
        count += learn(learner, part, is_last=is_last)
        images += int(batch.valid.sum())
        done += world.size
        if is_last:
            total, stop = finish(learner, count, images)
            count = images = 0
            yield Step(min(done, len(lesson.blocks)), total, stop)


def _part(
    learner: Learner, lesson: Lesson, units: Blocks, batch: Batch, before: int, done: int
) -> Part:
    """This rank's batch where `done` blocks of the epoch are behind."""
    rank = learner.world.rank
    first = (done + rank) * len(batch.indices)
    state = np.random.SeedSequence([learner.settings.seed, before + done, rank])
    return Part(
        batch=batch,
        targets=lesson.targets[torch.from_numpy(units)],
        epoch=lesson.epoch,
        positions=np.arange(first, first + len(batch.indices)),
        seed=int(state.generate_state(1, np.uint64)[0]),
    )


def _set_rate(learner: Learner, lesson: Lesson, at: Pass, done: int, batches: int) -> None:
    """Give the optimizer the rate of the step that begins now, taken at its middle: never 0."""
    blocks, settings = len(lesson.blocks), learner.settings
    end = min(done + batches * learner.world.size, blocks)
    share = (lesson.epoch + (done + end) / 2 / blocks) / settings.epochs
    rate = learning_rate(share, settings.optim, settings.epochs, at.figures)
    set_learning_rate(learner.optimizer, rate)
