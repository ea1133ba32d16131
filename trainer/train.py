"""The run: builds the parts, works to the end, and says how it ended.

    manifest -> cohort -> learner -> run (taken up, if there is one) -> source -> loop -> weights

SIGTERM or SIGUSR1 stops it after any step; it goes on later from its last checkpoint.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from dali_pipelines.identity import load_key
from dali_pipelines.loader import Loader
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.counts import VerdictCounts
from dali_pipelines.rejects.limits import DEFAULT_LIMIT, RejectLimit, parse_limit
from dali_pipelines.rejects.table import REJECTS
from dali_pipelines.settings import to_dict
from trainer.arithmetic import fixed_arithmetic
from trainer.best import finish_run
from trainer.cohort import select_cohort
from trainer.distributed import Device, join_world
from trainer.doubted import note_in_flight
from trainer.environment import environment
from trainer.journal import Journal
from trainer.learner import build_learner
from trainer.loop import Ending, go_on
from trainer.losses.loss import positive_weight
from trainer.losses.tasks import output_count
from trainer.networks.arguments import model_args
from trainer.preemption import stop_requests
from trainer.ranks import restart_count
from trainer.resume import require_agreement, resume
from trainer.run import Run
from trainer.scores.table import key_path
from trainer.settings import TrainSettings
from trainer.source import OpenSource, count_decoded


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What steers a run but not its result.

    `device` is where the model learns and images are prepared; `max_rejects` is of the cohort's
    images.
    """

    device: Device = "auto"
    resume: Literal["auto", "no"] = "auto"
    max_rejects: RejectLimit = field(default_factory=lambda: parse_limit(DEFAULT_LIMIT))
    open_source: OpenSource = Loader


@dataclass(frozen=True, slots=True)
class TrainResult:
    """How a run ended: `best` has metric, value and epoch, `checkpoint` is the file to score by.

    `counts` are of the cohort's images, those not met yet among the accepted ones; `rejects` is the
    table that says why the others gave none.
    """

    state: Ending
    checkpoint: Path
    best: dict[str, Any]
    history: list[dict[str, Any]]
    counts: VerdictCounts
    rejects: Path
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
        fixed_arithmetic(world, settings.threads, settings.speed),
        stop_requests() as stop,
    ):
        outputs = output_count(settings.loss.tasks.used)
        args = model_args(settings.model, recipe.channels, recipe.size, outputs)
        cohort = select_cohort(read_manifest(manifest), settings)
        weight = positive_weight(settings.loss, cohort.shown_labels(settings))
        learner = build_learner(settings, args, recipe, weight, world, stop)
        run = Run(learner, cohort, recipe, args)
        goes_on = options.resume == "auto" or restart_count() > 0  # a new start is only the first
        if goes_on:
            resume(run, out)
        require_agreement(run)
        records, key = to_records(cohort.frame), load_key(key_path(manifest))
        with (
            Journal(out, key, is_main=world.is_main) as journal,
            options.open_source(records, recipe, settings.loader, options.device) as source,
        ):
            if not goes_on:
                journal.start_over()
            note_in_flight(source, out, world)
            journal.begin(run.epoch, run.blocks, settings.track)
            journal.config(to_dict(settings), recipe.to_dict())
            journal.environment(environment(world))
            ended = go_on(run, source, journal, options.max_rejects)
            best = finish_run(run, source, journal) if ended == "done" else None
            state: Ending = "done" if best else "preempted"
            place = {"epoch": run.epoch, "blocks": run.blocks}
            journal.status(state, **place, best=run.best, decoded=count_decoded(source, world))
            counts = run.verdicts(source)
    return TrainResult(
        state=state,
        checkpoint=out / (best or run.best_file),
        best=run.best,
        history=run.history,
        counts=counts,
        rejects=out / REJECTS,
        is_main=world.is_main,
    )
