"""Checkpoints and images to scores, a block at a time.

manifest -> order of blocks -> those not done yet -> scores of each member -> one score an image
"""

import logging
from collections.abc import Generator
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.cores import core_count
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts
from dali_pipelines.verdicts import Reject
from trainer.arithmetic import fixed_arithmetic
from trainer.distributed import Device, World, join_world
from trainer.doubted import note_in_flight
from trainer.ensembles.combine import combine
from trainer.optim.settings import SpeedSettings
from trainer.prediction.fingerprint import fingerprint
from trainer.prediction.member_scores import BlockScores, score_blocks
from trainer.prediction.order import Order, every_member, out_of_fold
from trainer.prediction.scorers import Scorers
from trainer.prediction.tta import Tta
from trainer.prediction.unfinished import Resume, Unfinished, take_up
from trainer.preemption import stop_requests
from trainer.ranks import restart_count
from trainer.scores.table import prediction_table
from trainer.source import OpenMultiSource
from trainer.units import build_units

# On a CPU the number of threads chooses torch's algorithm for convolutions of 1 x 1, and so the
# last bits (measured: EfficientNet-B0, where 1, 2, 3 and 8 differ for one batch or another). Ranks
# must not change a score, so each has the threads that one alone would have.
_LEAST_THREADS: Final = 2  # one core gives the bits of two: the usual networks agree from there on
# Ranks meet when all is scored. One with a slower GPU is late by its share of all those hours, and
# must not lose the others; a rank that died breaks their connections and is noticed at once.
PATIENCE: Final = timedelta(days=7)

log = logging.getLogger("mammo.predict")


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How to score. `key` hashes patient ids, None names them as they are.

    `device` is where the models run and images are prepared. `out_of_fold` has each image scored by
    the members alone that held its fold out of `cohort`, the fingerprint of the manifest, or None.
    `unfinished` is a folder for what is scored so far, from which the same call goes on later with
    `resume` "auto"; None keeps nothing, and a signal ends the process as it does elsewhere.
    """

    key: bytes | None = None
    device: Device = "auto"
    batch: int = 8
    tta: Tta = field(default_factory=Tta)
    out_of_fold: bool = False
    cohort: str | None = None
    unfinished: Path | None = None
    resume: Resume = "auto"
    loader: LoaderSettings = field(default_factory=LoaderSettings)
    open_source: OpenMultiSource = MultiLoader


@dataclass(frozen=True, slots=True)
class Predictions:
    """`table` as `scores.table.prediction_table` gives it, and why other images have no score.

    `counts` are of the images of the manifest. Where it was "preempted" the three are of what was
    scored until then.
    """

    table: pd.DataFrame
    rejects: list[Reject]
    counts: VerdictCounts
    is_main: bool
    state: Literal["done", "preempted"] = "done"


def predict(manifest: pd.DataFrame, scorers: Scorers, options: PredictOptions) -> Predictions:
    """Scores of the images of a manifest, in its order; every rank gets all of them.

    SIGTERM or SIGUSR1 ends it after any block where what is done is kept.
    """
    order = _order(manifest, scorers, options)
    with (
        join_world(options.device, PATIENCE) as world,
        fixed_arithmetic(world, _threads(world), SpeedSettings(deterministic=True)),
        stop_requests() if options.unfinished else nullcontext(Event()) as stop,
    ):
        records = to_records(manifest)
        told = fingerprint(records, scorers, order, options.tta, world.device)
        resume = "auto" if restart_count() else options.resume  # a new start is only the first
        with take_up(options.unfinished, told, world, resume) as unfinished:
            work = _Work(records, scorers, order, options, world, stop)
            found = [*unfinished.done, *work.score(unfinished)]
    is_done = len(found) == len(order.blocks)
    return _conclude(manifest, scorers, options.key, found, is_done=is_done, is_main=world.is_main)


def _conclude(
    manifest: pd.DataFrame,
    scorers: Scorers,
    key: bytes | None,
    blocks: list[BlockScores],
    *,
    is_done: bool,
    is_main: bool,
) -> Predictions:
    """The members' scores as one table, and the verdict on every image."""
    logits = np.full((len(manifest), len(scorers.members)), np.nan)
    for block in blocks:
        logits[block.indices] = block.logits
    if scorers.combine == "rank" and is_main:
        log.warning(
            "scores are ranks among the images that a member scored, %s in all; among others an "
            "image has another score",
            f"{len(manifest):,}",
        )
    whole = combine(logits, scorers.shares, scorers.combine)
    recipe_hash = "+".join(recipe.hash for recipe in scorers.recipes)
    table = prediction_table(manifest, whole, recipe_hash, key, scorers.unit)
    every = {(r.path, r.member, r.image_id): r for block in blocks for r in block.rejects}
    rejects = [every[place] for place in sorted(every)]  # a file may hold several images
    flagged = manifest["flags"][np.isfinite(whole)].map(len) > 0
    inputs = len(manifest) if is_done else len(flagged) + len(rejects)
    counts = count_verdicts(inputs, flagged, rejects)
    return Predictions(table, rejects, counts, is_main, "done" if is_done else "preempted")


def _order(manifest: pd.DataFrame, scorers: Scorers, options: PredictOptions) -> Order:
    units = build_units(manifest, scorers.unit)
    if options.out_of_fold:
        return out_of_fold(manifest, options.cohort, units, options.batch, scorers)
    return every_member(units, options.batch, len(scorers.members))


def _threads(world: World) -> int:
    """Threads of torch: on a CPU the same for any number of ranks, else this rank's share."""
    return 0 if world.device.type == "cuda" else max(_LEAST_THREADS, core_count())


@dataclass(frozen=True, slots=True)
class _Work:
    """What this rank is to score, and the signal to leave it."""

    records: list[ImageRecord]
    scorers: Scorers
    order: Order
    options: PredictOptions
    world: World
    stop: Event

    def score(self, unfinished: Unfinished) -> list[BlockScores]:
        """The blocks that are scored from here on, of all ranks; all call it."""
        world = self.world
        done = np.array([scores.block for scores in unfinished.done], dtype=np.int64)
        left = np.setdiff1d(np.arange(len(self.order.blocks)), done)
        own = []
        if len(left):
            with closing(self._pass(left[world.rank :: world.size])) as scored:
                for scores in scored:
                    unfinished.add(scores)
                    own.append(scores)
                    if self.stop.is_set():
                        break
        return [scores for found in world.gather(own) for scores in found]

    def _pass(self, numbers: NDArray[np.int64]) -> Generator[BlockScores]:
        options, world = self.options, self.world
        for member in self.scorers.members:
            member.model.to(world.device)
        recipes = self.scorers.recipes
        opened = options.open_source(self.records, recipes, options.loader, options.device)
        with opened as source:
            if options.unfinished is not None:
                note_in_flight(source, options.unfinished, world)
            yield from score_blocks(self.scorers, source, self.order, numbers, world, options.tta)
