"""A run directory, or a file of predictions -> what a report is made from."""

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from dali_pipelines.errors import CheckpointError
from dali_pipelines.identity import load_key
from dali_pipelines.manifest import read_manifest
from dali_pipelines.rejects.table import read_rejects, rejects_beside
from dali_pipelines.verdicts import Reject
from trainer.aggregation.policy import Aggregation
from trainer.checksums import file_sha256
from trainer.document import read_document
from trainer.evaluation.options import EvaluationOptions
from trainer.evaluation.stored_choices import with_choices
from trainer.prediction.scorers import load_scorers
from trainer.report.build import Sources
from trainer.report.nested_facts import nested_facts
from trainer.report.run_facts import RunFacts, read_runs
from trainer.run_folder import ENSEMBLE, SCORES
from trainer.scores.reading import read_predictions
from trainer.scores.table import key_path
from trainer.scores.writing import about_beside

_WEIGHTS: Final = ("model.safetensors", "ckpt/*.pt", "fold-*/model.safetensors", "fold-*/ckpt/*.pt")

log = logging.getLogger("mammo.report")


@dataclass(frozen=True, slots=True)
class Places:
    """Where to read; `source` is a run directory or a file of predictions.

    `run` is the one that the predictions are of, `checkpoints` the networks that made them.
    """

    source: Path
    manifest: Path | None = None
    run: Path | None = None
    checkpoints: tuple[Path, ...] = ()


def read_sources(places: Places, how: Aggregation | None, repeats: int, seed: int) -> Sources:
    """What the places hold; the aggregation is `how`, else that of the predictions or the run.

    Raises the errors of each reader, and CheckpointError where the networks are not those that
    made the predictions.
    """
    options = EvaluationOptions(repeats=repeats, seed=seed)
    read = _of_run if places.source.is_dir() else _of_predictions
    sources = read(places, how, options)
    if places.manifest is None:
        return sources
    key = key_path(places.manifest)
    scanned = rejects_beside(places.manifest)
    return replace(
        sources,
        manifest=read_manifest(places.manifest),
        rejects=[*_rejects(scanned), *sources.rejects],
        key=load_key(key) if key.is_file() else None,
        is_scan_known=scanned.is_file(),
    )


def _of_run(places: Places, how: Aggregation | None, options: EvaluationOptions) -> Sources:
    runs = read_runs(places.source)
    named = places.checkpoints or ((places.source,) if all(run.model for run in runs) else ())
    scorers = load_scorers(named) if named else None
    usual = scorers.aggregation if scorers else Aggregation()
    how = how or usual
    decision = scorers.decision_by(how) if scorers else None
    table = places.source / SCORES
    return Sources(
        scores=read_predictions(table) if table.is_file() else None,
        scored=_scored_by(runs),
        is_out_of_fold=True,
        nested=nested_facts(places.source / ENSEMBLE)
        if decision and not places.checkpoints
        else {},
        evaluation=replace(options, how=how, decision=decision),
        runs=runs,
        scorers=scorers,
        rejects=_rejects_of(runs),
    )


def _of_predictions(places: Places, how: Aggregation | None, options: EvaluationOptions) -> Sources:
    document = _document_beside(places.source)
    makers = _makers(document)
    named = places.checkpoints or (_found_in(places.run, makers) if places.run else ())
    scorers = load_scorers(named) if named else None
    if scorers and makers and not {member.sha256 for member in scorers.members} <= makers:
        raise CheckpointError(
            "the predictions were made by other networks than those of --ckpt, whose heat maps "
            "would be of other scores; name those that made them"
        )
    runs = read_runs(places.run) if places.run else []
    evaluation = with_choices(options, places.source, how)
    return Sources(
        scores=read_predictions(places.source),
        scored=_told(document),
        is_out_of_fold=document.get("out_of_fold") is True or evaluation.is_chosen_here,
        evaluation=evaluation,
        runs=runs,
        scorers=scorers,
        rejects=[*_rejects(rejects_beside(places.source)), *_rejects_of(runs)],
    )


def _document_beside(predictions: Path) -> Mapping[str, Any]:
    """What is written beside the predictions on how they were made, {} where nothing is."""
    path = about_beside(predictions)
    return read_document(path) if path.is_file() else {}


def _makers(document: Mapping[str, Any]) -> set[str]:
    """The SHA-256 of the networks that made the predictions, as far as it is known."""
    members = document.get("members")
    known = members if isinstance(members, list) else []
    return {str(member.get("sha256")) for member in known if isinstance(member, dict)}


def _found_in(run: Path, makers: Set[str]) -> tuple[Path, ...]:
    """Those files of weights of a run that made the predictions; () and a warning without any."""
    files = sorted(path for pattern in _WEIGHTS for path in run.glob(pattern))
    found = {digest: path for path in files if (digest := file_sha256(path)) in makers}
    if not found:
        log.warning(
            "no network of the run is known to have made the predictions, so there are no heat "
            "maps; name it with --ckpt"
        )
    return tuple(sorted(found.values()))


def _scored_by(runs: Sequence[RunFacts]) -> str:
    if len(runs) > 1:
        return (
            "Each image was scored by the run that held its fold out, by the epoch that was best "
            "on that fold: the choice of the epoch flatters the scores a little."
        )
    return (
        "These are the images of the fold that the run held out, scored by the epoch that was "
        "best on them: the choice flatters the scores."
    )


def _told(document: Mapping[str, Any]) -> str:
    """How the predictions were made, as far as it is known."""
    if not document:
        return "These are the scores of a predictions file."
    members = document.get("members")
    count = len(members) if isinstance(members, list) else 0
    made = f"The scores are of {'one network' if count == 1 else f'{count} networks'}"
    if document.get("out_of_fold") is True:
        made += ", each image scored by those that never saw it"
    return f"{made}."


def _rejects(table: Path) -> list[Reject]:
    return read_rejects(table) if table.is_file() else []


def _rejects_of(runs: Sequence[RunFacts]) -> list[Reject]:
    return [reject for run in runs for reject in run.rejects]
