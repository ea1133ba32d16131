"""What a report is made from: a run and its scores, or predictions with the run behind them."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import CheckpointError
from dali_pipelines.identity import load_key
from dali_pipelines.manifest import read_manifest
from dali_pipelines.rejects.table import rejects_beside, write_rejects
from dali_pipelines.verdicts import Reason, Reject
from tests.trainer.report.toy_run import write_run
from trainer.aggregation.policy import parse_aggregation
from trainer.checksums import file_sha256
from trainer.report.build import ReportOptions, Sources, build_report
from trainer.report.flattery import Flattery
from trainer.report.read_sources import Places, read_sources
from trainer.run_folder import BEST, MODEL, SCORES
from trainer.scores.table import key_path, prediction_table
from trainer.scores.writing import about_beside

NO_PICTURES = ReportOptions(exams=0)


def read(source: Path, **places: Any) -> Sources:
    return read_sources(Places(source, **places), None, repeats=100, seed=0)


@pytest.fixture
def run(toy_runs) -> Path:
    toy_runs("run")
    return toy_runs.folder / "run"


@pytest.fixture
def predictions(run: Path, tmp_path: Path) -> Path:
    """The scores of the run's best checkpoint, with the document that names it."""
    path = tmp_path / "predictions.csv"
    path.write_bytes((run / SCORES).read_bytes())
    decision = {
        "level": "patient", "rule": "youden", "threshold": 0.4, "calibration": None,
        "chosen_on": {},
    }  # fmt: skip
    about = {
        "members": [{"sha256": file_sha256(run / BEST)}, {"sha256": "0"}],
        "aggregation": "max/max/max",
        "decision": decision,
        "out_of_fold": True,
    }
    (tmp_path / "predictions_about.json").write_text(json.dumps(about))
    return path


def test_a_run_has_its_scores_its_decision_and_its_network(run: Path, toy_manifest: Path) -> None:
    lost = Reject("/toy/gone.dcm", "", "", "read", Reason.EMPTY, "no bytes")
    write_rejects([lost], rejects_beside(toy_manifest))
    sources = read(run, manifest=toy_manifest)
    assert len(sources.scores) == len(pd.read_csv(run / SCORES))
    assert "flatters the scores" in sources.scored
    assert sources.evaluation.decision.level == "breast"
    assert sources.rejects == [lost]
    assert [member.held_out for member in sources.scorers.members] == [0]
    assert build_report(replace(sources, is_scan_known=False), NO_PICTURES).rejects.inputs is None
    report = build_report(sources, NO_PICTURES)
    assert report.rejects.inputs == 64 + 1
    assert report.scores.main == "breast"
    assert report.receipt.clean
    assert report.model.networks[0].sha256 == file_sha256(run / MODEL)
    assert report.runs == 1


def test_another_aggregation_has_no_decision(run: Path) -> None:
    how = parse_aggregation("max/max")
    sources = read_sources(Places(run), how, repeats=100, seed=0)
    assert sources.evaluation.how == how
    assert sources.evaluation.decision is None


def test_predictions_bring_their_choices_and_find_their_network_in_the_run(
    run: Path, predictions: Path
) -> None:
    sources = read(predictions, run=run)
    assert str(sources.evaluation.how) == "max/max/max"
    assert sources.evaluation.decision.threshold == 0.4
    assert [member.sha256 for member in sources.scorers.members] == [file_sha256(run / BEST)]
    assert sources.scored == (
        "The scores are of 2 networks, each image scored by those that never saw it."
    )
    assert build_report(sources, NO_PICTURES).scores.main == "patient"


def test_networks_that_did_not_make_the_predictions_are_refused(
    run: Path, predictions: Path
) -> None:
    with pytest.raises(CheckpointError, match="made by other networks"):
        read(predictions, checkpoints=(run / MODEL,))


def test_a_run_without_the_network_gives_no_heat_maps_and_says_so(
    run: Path, predictions: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (predictions.parent / "predictions_about.json").unlink()
    with caplog.at_level(logging.WARNING, "mammo.report"):
        sources = read(predictions, run=run)
    assert sources.scorers is None
    assert "name it with --ckpt" in caplog.text
    assert sources.scored == "These are the scores of a predictions file."


def test_a_run_that_is_not_done_has_curves_alone(tmp_path: Path) -> None:
    report = build_report(read(write_run(tmp_path / "run")), NO_PICTURES)
    assert report.scores is None
    assert report.curves is not None
    assert report.data is None
    assert set(report.anchors) == {"training", "rejects", "setup"}


def test_images_that_a_network_learned_from_are_counted_on_the_page(
    run: Path, predictions: Path, toy_manifest: Path
) -> None:
    """Of a prediction of the whole manifest, three of four folds were trained on."""
    manifest = read_manifest(toy_manifest)
    key = load_key(key_path(toy_manifest))
    prediction_table(manifest, np.linspace(-3, 3, len(manifest)), "hash", key).to_csv(
        predictions, index=False
    )
    about_beside(predictions).unlink()
    sources = read(predictions, manifest=toy_manifest, checkpoints=(run / BEST,))
    report = build_report(sources, NO_PICTURES)
    learned = int((manifest["fold"] != 0).sum())
    assert report.flattery == Flattery(learned, is_chosen_here=False)
    assert any(f"{learned} of the scored images were trained on" in text for text in report.limits)
    held_out = (manifest["fold"] == 0).to_numpy()
    only = replace(sources, scores=sources.scores[held_out])
    assert build_report(only, NO_PICTURES).flattery == Flattery(0, is_chosen_here=True)


def test_the_scores_of_a_run_are_those_that_its_threshold_was_chosen_on(run: Path) -> None:
    report = build_report(read(run), NO_PICTURES)
    assert report.flattery == Flattery(is_chosen_here=True)
    assert report.decided.endswith("Those are the scores above, which it flatters.")
