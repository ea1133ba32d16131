"""One pass over the data: to train, or to score.

    blocks -> source -> batch -> model -> (loss, step) or logits

A source gives one batch for each block; `dali_pipelines.loader.Loader` is the real one.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import Blocks, rank_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reject
from trainer.distributed import Device, World
from trainer.learner import Learner
from trainer.losses.masked import masked_bce
from trainer.networks.build import logits_of, precision
from trainer.optim.adamw import learning_rate, set_learning_rate

Scores = tuple[NDArray[np.int64], NDArray[np.float64]]  # indices (n,) and their logits (n,)


class Source(Protocol):
    """What gives batches: `run` one for each block, in order; `rejects` says what it could not."""

    @property
    def rejects(self) -> list[Reject]:
        """One row for each record that gave no image so far."""

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """One batch for each row of `blocks` (B, N)."""


OpenSource = Callable[
    [Sequence[ImageRecord], Recipe, LoaderSettings, Device], AbstractContextManager[Source]
]


@dataclass(frozen=True, slots=True)
class Step:
    """One step of all ranks: blocks of the epoch done by then, and what it was over.

    `loss` is this rank's part of the mean over the `images` of the global batch; the parts of all
    ranks add up to it. `stop` is true on every rank where any was asked to stop.
    """

    blocks: int
    images: int
    loss: float
    stop: bool


@dataclass(frozen=True, slots=True)
class Pass:
    """The place of a training pass in its run, in blocks: before the epoch, done of it, in all."""

    before: int
    consumed: int
    total: int


def train_pass(
    learner: Learner, source: Source, blocks: Blocks, labels: NDArray[np.int64], at: Pass
) -> Iterator[Step]:
    """Train on what is left of an epoch's global `blocks`, and say so after each step.

    `labels` are those of the records that `blocks` point to. The caller may leave after any step;
    the state of `learner` and `Step.blocks` are then enough to go on with the same numbers.
    """
    world, consumed = learner.world, at.consumed
    for batch in source.run(rank_blocks(blocks, world.rank, world.size, consumed)):
        position = at.before + consumed
        rate = learning_rate(
            (position + world.size / 2) / at.total,  # mid-step: no step is taken at a rate of 0
            learner.settings.optim,
        )
        set_learning_rate(learner.optimizer, rate)
        _seed_step(learner.settings.seed, position, world.rank)
        consumed += world.size
        images, loss, stop = _learn(learner, batch, labels)
        yield Step(min(consumed, len(blocks)), images, loss, stop)


def score_pass(
    model: nn.Module, source: Source, blocks: Blocks, world: World, amp: str = "auto"
) -> Iterator[Scores]:
    """Logits of the valid samples in this rank's share of `blocks`, a batch at a time."""
    model.eval()
    for batch in source.run(rank_blocks(blocks, world.rank, world.size)):
        with torch.inference_mode(), precision(world.device, amp):
            logits = logits_of(model, batch.images.to(world.device))
        valid = batch.valid.cpu().numpy()
        kept = logits.cpu().numpy().astype(np.float64)[valid]
        if not np.isfinite(kept).all():
            raise CheckpointError(
                "the network's scores are not numbers: its training diverged or its weights are "
                "damaged; use an earlier checkpoint or a lower optim.lr"
            )
        yield batch.indices[valid], kept


def collect(scores: Iterable[Scores], count: int, world: World) -> NDArray[np.float64]:
    """Logits (count,) by record, on every rank; NaN where there is none.

    Raises AssertionError if a record was scored twice, on one rank or on two.
    """
    table = np.zeros((2, count))  # how often each was scored, and the sum of its logits
    for indices, logits in scores:
        np.add.at(table[0], indices, 1.0)
        np.add.at(table[1], indices, logits)
    seen, total = world.sum(table)
    assert seen.max(initial=0) <= 1, "a record was scored twice"
    return np.where(seen == 1, total, np.nan)


def gather_rejects(source: Source, world: World) -> list[Reject]:
    """What the sources of all ranks could not give so far, each once, in order of their inputs."""
    found = [reject for rejects in world.gather(source.rejects) for reject in rejects]
    every = {(r.path, r.member, r.image_id): r for r in found}  # a file may hold several images
    return [every[place] for place in sorted(every)]


def fill_empty_slots(images: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) with each slot that is not valid a copy of a valid one, in turn.

    Batch norm then sees real images only. Where no slot is valid, all stay placeholders.
    """
    order = torch.argsort(valid.logical_not(), stable=True)  # valid slots first
    slots = torch.arange(len(valid), device=valid.device)
    donors = order[slots % valid.sum().clamp(min=1)]
    filled: torch.Tensor = images[torch.where(valid, slots, donors)]
    return filled


def _learn(learner: Learner, batch: Batch, labels: NDArray[np.int64]) -> tuple[int, float, bool]:
    """One step of all ranks: images in it, this rank's part of the loss, any wish to stop."""
    world = learner.world
    count = int(batch.valid.sum())  # on the CPU: the device would have to be waited for
    valid = batch.valid.to(world.device)
    total, stops = world.sum(np.array([count, learner.stop.is_set()], dtype=np.float64))
    images = fill_empty_slots(batch.images.to(world.device), valid)
    targets = torch.from_numpy(labels[batch.indices].astype(np.float32)).to(world.device)
    learner.parallel.train(count > 0)  # placeholders must not reach batch norm's averages
    with precision(world.device, learner.settings.speed.amp):
        logits = logits_of(learner.parallel, images)
    loss = masked_bce(logits, targets, valid, total / world.size)  # DDP averages over ranks
    learner.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    part = loss.item() / world.size
    if not math.isfinite(part):
        raise ConfigError(f"the loss became {part}: training diverged; lower optim.lr")
    if total:
        learner.update()
    return int(total), part, bool(stops)


def _seed_step(seed: int, position: int, rank: int) -> None:
    """Seed dropout from the place in the run, so that a resumed run draws the same numbers."""
    state = np.random.SeedSequence([seed, position, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))
