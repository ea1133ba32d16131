"""Cross-validation: one run a fold, and the scores of every image by the run that never saw it."""

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest import read_manifest
from dali_pipelines.recipe import Recipe
from trainer.aggregation.policy import parse_aggregation
from trainer.cohort import require_folds
from trainer.distributed import World, join_world
from trainer.ensembles.of_folds import write_ensemble_of_folds
from trainer.journal import State, write_failure, write_status
from trainer.loop import Ending
from trainer.metrics.figures import evaluate_scores
from trainer.preemption import stop_requests
from trainer.ranks import restart_count
from trainer.run_folder import ENSEMBLE, SCORES, clear, fold_folder, fold_folders
from trainer.scores.reading import read_predictions
from trainer.scores.writing import write_scores
from trainer.settings import TrainSettings
from trainer.train import RunOptions, TrainResult, train

FIGURES = "oof.json"

log = logging.getLogger("mammo.train")


@dataclass(frozen=True, slots=True)
class CrossResult:
    """The runs so far, in order of their folds, and the figures of all held-out scores together.

    `scores` is the table of these; both are there once every fold is done.
    """

    state: Ending
    runs: tuple[TrainResult, ...]
    scores: Path
    figures: dict[str, Any]


def cross_validate(
    settings: TrainSettings,
    recipe: Recipe,
    manifest: Path,
    out: Path,
    options: RunOptions | None = None,
) -> CrossResult:
    """A run for each fold of a manifest, in `out`/fold-0 and so on; `settings.fold` plays no part.

    Run again, it goes on where it was stopped. Raises ConfigError where nothing would be held out,
    and what `train` raises.
    """
    if settings.validate == "none":
        raise ConfigError("--fold all holds out each fold in turn; leave validate at 'fold'")
    options = options or RunOptions()
    runs: list[TrainResult] = []
    scores = out / SCORES
    folds = _folds(manifest)
    with join_world(options.device) as world, _noted_failures(out, world), stop_requests():
        if options.resume == "no" and restart_count() == 0:
            _start_over(out, world)
        for fold in folds:
            log.info("fold %d", fold)
            one = replace(settings, fold=fold)
            runs.append(train(one, recipe, manifest, fold_folder(out, fold), options))
            if runs[-1].state == "preempted":
                _note(out, world, "preempted", runs)
                return CrossResult("preempted", tuple(runs), scores, {})
        figures = _gather(out, scores, runs, settings, world)
        value = figures[settings.monitor]
        log.info(
            "all folds  %s %s", settings.monitor, "undefined" if value is None else f"{value:.4f}"
        )
        _note(out, world, "done", runs)
    return CrossResult("done", tuple(runs), scores, figures)


def _folds(manifest: Path) -> list[int]:
    frame = read_manifest(manifest)
    require_folds(frame)
    folds = sorted({int(fold) for fold in frame["fold"]})
    if len(folds) < 2:
        raise DatasetError(f"cross-validation needs 2 folds or more, the manifest has {len(folds)}")
    return folds


def _start_over(out: Path, world: World) -> None:
    """Remove what an earlier cross-validation left in all folds, before the first begins.

    Where this one is cut short and taken up, none of its folds is then taken for done.
    """
    if world.is_main:
        for folder in fold_folders(out):
            clear(folder)
        for name in (SCORES, FIGURES, ENSEMBLE):
            (out / name).unlink(missing_ok=True)
    world.gather(None)  # no rank looks into a folder before


def _gather(
    out: Path,
    scores: Path,
    runs: Sequence[TrainResult],
    settings: TrainSettings,
    world: World,
) -> dict[str, Any]:
    """The figures of the held-out scores of all runs; rank 0 writes table and ensemble."""
    world.gather(None)  # rank 0 has written the tables of all runs
    tables = [read_predictions(run.rejects.with_name(SCORES)) for run in runs]
    table = pd.concat(tables, ignore_index=True)
    assert not table["image_id"].duplicated().any(), "an image was held out twice"
    figures = evaluate_scores(table, parse_aggregation(settings.aggregate))
    if world.is_main:
        write_scores(table, scores)
        with replacing(out / FIGURES) as aside:
            aside.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
        write_ensemble_of_folds(out, [run.rejects.parent for run in runs], settings)
    return figures


@contextmanager
def _noted_failures(out: Path, world: World) -> Iterator[None]:
    """A stretch that leaves the state "running", or what error ended it: never an older one."""
    if world.is_main:
        out.mkdir(parents=True, exist_ok=True)
    _note(out, world, "running", [])
    try:
        yield
    except BaseException as error:
        if world.is_main:
            write_failure(out, error)
        raise


def _note(out: Path, world: World, state: State, runs: Sequence[TrainResult]) -> None:
    if world.is_main:
        write_status(out, state, folds=[run.best for run in runs])
