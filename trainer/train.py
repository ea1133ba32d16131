"""The run: builds the parts, then an epoch of training and one of validation until it is done.

    manifest -> cohort -> source -> train_pass -> score_pass -> figures -> checkpoint

SIGTERM or SIGUSR1 stops it after any step; it goes on later from its last checkpoint.
"""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dali_pipelines.identity import load_key
from dali_pipelines.limits import DEFAULT_LIMIT, RejectLimit, parse_limit
from dali_pipelines.loader import Loader
from dali_pipelines.manifest import read_manifest, to_records
from dali_pipelines.recipe import Recipe
from dali_pipelines.settings import to_dict
from trainer.cohort import select_cohort
from trainer.distributed import Device, fixed_arithmetic, join_world
from trainer.epoch import OpenSource, Source, gather_rejects
from trainer.journal import BEST, LAST, Journal
from trainer.learner import build_learner
from trainer.model import model_args
from trainer.predictions import key_path
from trainer.preemption import stop_requests
from trainer.run import Run
from trainer.settings import TrainSettings

Ending = Literal["done", "preempted"]

log = logging.getLogger("mammo.train")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What steers a run but not its result; `max_rejects` is of the images of the cohort."""

    device: Device = "auto"
    resume: Literal["auto", "no"] = "auto"
    max_rejects: RejectLimit = field(default_factory=lambda: parse_limit(DEFAULT_LIMIT))
    open_source: OpenSource = Loader


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended: `best` has metric, value and epoch, `checkpoint` is the file to score by."""

    state: Ending
    checkpoint: Path
    best: dict[str, Any]
    history: list[dict[str, Any]]
    is_main: bool = True


def train(
    settings: TrainSettings,
    recipe: Recipe,
    manifest: Path,
    out: Path,
    options: RunOptions | None = None,
) -> TrainResult:
    """Train on the folds of a manifest, and keep the run in the folder `out`.

    Raises a MammoError where the manifest, the settings or a checkpoint to go on from will not do.
    """
    options = options or RunOptions()
    with (
        join_world(options.device) as world,
        fixed_arithmetic(world, settings.threads),
        stop_requests() as stop,
    ):
        args = model_args(settings.model, recipe.channels, recipe.size)
        cohort = select_cohort(read_manifest(manifest), settings)
        run = Run(build_learner(settings, args, world, stop), cohort, recipe, args)
        if options.resume == "auto" and (out / LAST).exists():
            run.resume(out / LAST)
        records, key = to_records(cohort.frame), load_key(key_path(manifest))
        with (
            Journal(out, key, is_main=world.is_main) as journal,
            options.open_source(records, recipe, settings.loader, options.device) as source,
        ):
            if options.resume == "no":
                journal.start_over()
            journal.config(to_dict(settings), recipe.to_dict())
            state: Ending = "done"
            while state == "done" and not run.is_done:
                if not (_train(run, source, journal) and _validate(run, source, journal, options)):
                    journal.checkpoint(LAST, run.checkpoint())
                    state = "preempted"
            journal.status(state, epoch=run.epoch, blocks=run.blocks, best=run.best)
    return TrainResult(
        state, out / (BEST if run.best else LAST), run.best, run.history, world.is_main
    )


def _train(run: Run, source: Source, journal: Journal) -> bool:
    """Train to the end of the epoch; False where the run was asked to stop before."""
    saved = run.blocks
    for step in run.train(source):
        if step.stop:
            return False
        if run.settings.save_blocks and run.blocks - saved >= run.settings.save_blocks:
            saved = run.blocks
            journal.checkpoint(LAST, run.checkpoint())
    return True


def _validate(run: Run, source: Source, journal: Journal, options: RunOptions) -> bool:
    """Score the held-out fold and close the epoch; False where the run was asked to stop."""
    logits = run.score(source)
    if run.is_stopped():
        return False
    rejects = gather_rejects(source, run.learner.world)
    journal.rejects(rejects)
    options.max_rejects.enforce(len(rejects), len(run.cohort.frame))
    better = run.finish_epoch(run.figures(logits))
    if better:
        journal.checkpoint(BEST, run.checkpoint(to_score=True))
        journal.scores(run.cohort.frame, logits, run.recipe.hash)
    journal.checkpoint(LAST, run.checkpoint())
    journal.metrics(run.history)
    log.info("%s%s", run.summary(), "  best so far" if better else "")
    return True
