"""Breasts and exams from a manifest to scores: trained, validated, taken up and predicted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import CheckpointError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import write_manifest
from dali_pipelines.rejects.limits import parse_limit
from tests.trainer.toy_runs import DATA
from trainer.networks.settings import ModelSettings
from trainer.prediction.predict import PredictOptions, predict
from trainer.prediction.scorers import load_scorers
from trainer.run_folder import BEST, MODEL, SCORES
from trainer.scores.reading import read_predictions

ANY_LOSS = {"max_rejects": parse_limit("50%")}


def _changes(unit: Any, fusion: Any = "attention", **model: Any) -> dict[str, Any]:
    settings = ModelSettings("test_resnet", unit=unit, fusion=fusion, drop=0.1, **model)
    return {"model": settings, "data": replace(DATA, batch=4)}


def _unit(frame: pd.DataFrame, unit: str) -> "pd.Series[str]":
    return frame["patient_id"] + (frame["laterality"] if unit == "breast" else "")


def _scores(frame: pd.DataFrame, source: Any, path: Path) -> "pd.Series[float]":
    """The logits that `mammo predict` gives the images of a frame, by image_id."""
    options = PredictOptions(
        key=b"key", device="cpu", batch=3, loader=LoaderSettings(threads=1), open_source=source
    )
    table = predict(frame, load_scorers([path]), options).table
    return table.set_index("image_id")["logit"]


@pytest.mark.parametrize(
    ("unit", "fusion"),
    [("breast", "max"), ("breast", "attention"), ("exam", "concat"), ("exam", "transformer")],
)
def test_a_run_on_units_is_taken_up_and_predicted_to_the_bit(
    toy_runs: Any, toy_frame: pd.DataFrame, fake_multi_source: Any, unit: str, fusion: str
) -> None:
    toy_runs.assert_survives(3, **_changes(unit, fusion))  # of 7 batches of breasts, 3 of exams
    folder = toy_runs.folder / "whole"
    scores = read_predictions(folder / SCORES).set_index("image_id")["logit"]
    held_out = toy_frame[toy_frame["fold"] == 0]
    assert sorted(scores.index) == sorted(held_out["image_id"])
    by_unit = scores.groupby(_unit(held_out.set_index("image_id"), unit))
    assert len(by_unit) == {"breast": 16, "exam": 8}[unit]
    assert (by_unit.min() == by_unit.max()).all()
    assert scores.nunique() == len(by_unit)
    for file in (BEST, MODEL):
        predicted = _scores(toy_frame, fake_multi_source, folder / file)
        assert len(predicted) == 64
        np.testing.assert_allclose(predicted[scores.index], scores, atol=1e-5)


@pytest.mark.parametrize("unit", ["breast", "exam"])
def test_views_that_are_missing_or_lost_cost_no_other(
    toy_runs: Any, toy_frame: pd.DataFrame, fake_multi_source: Any, unit: str
) -> None:
    """p01 and p05 lack views in the table, those of p02 and p06 are lost on the way."""
    absent = toy_frame["image_id"].isin(["p01LMLO", "p05LCC", "p05LMLO", "p05RCC"])
    lost = toy_frame["image_id"].isin(["p02LCC", "p06RMLO", "p06LCC", "p06LMLO"])
    frame = toy_frame.assign(manufacturer=toy_frame["manufacturer"].mask(lost, "broken"))[~absent]
    write_manifest(frame, toy_runs.manifest)
    result = toy_runs("run", options=ANY_LOSS, **_changes(unit))
    assert result.counts.failed == 4
    scores = read_predictions(toy_runs.folder / "run" / SCORES).set_index("image_id")["logit"]
    held_out = frame[(frame["fold"] == 0) & ~lost[~absent]].set_index("image_id")
    assert sorted(scores.index) == sorted(held_out.index)
    by_unit = scores.groupby(_unit(held_out, unit))
    assert (by_unit.min() == by_unit.max()).all()
    best = toy_runs.folder / "run" / BEST
    whole = _scores(toy_frame, fake_multi_source, best)
    for name in ("p01RCC", "p02RMLO"):  # in an exam that lacks a view, in a whole breast
        same = whole[name] == pytest.approx(scores[name], abs=1e-5)
        assert same == (unit == "breast")
    few = frame[frame["image_id"].isin(["p05RMLO", "p01LCC"])]
    alone = _scores(few, fake_multi_source, best)
    assert alone["p01LCC"] != pytest.approx(whole["p01LCC"], abs=1e-5)
    assert scores["p02LMLO"] != pytest.approx(whole["p02LMLO"], abs=1e-5)


def test_an_exam_of_one_view_has_the_score_of_that_view(
    toy_runs: Any, toy_frame: pd.DataFrame, fake_multi_source: Any
) -> None:
    """Half of the exams to train on have one view, and all of those that are held out."""
    patient = toy_frame["patient_id"].str[1:].astype(int)
    one = (toy_frame["fold"] == 0) | (patient % 2 == 0)
    frame = toy_frame[~one | toy_frame["image_id"].str.endswith("LMLO")]
    write_manifest(frame, toy_runs.manifest)
    changes = _changes("exam")
    result = toy_runs.assert_survives(2, **changes)
    assert result.history[0]["val/image/n"] == 8
    scores = read_predictions(toy_runs.folder / "whole" / SCORES).set_index("image_id")["logit"]
    assert np.isfinite(scores).all()
    assert scores.nunique() == 8


def test_members_that_score_different_units_are_no_ensemble(toy_runs: Any) -> None:
    for unit in ("breast", "exam"):
        toy_runs(unit, **_changes(unit, "max"))
    files = [toy_runs.folder / "breast" / BEST, toy_runs.folder / "exam" / MODEL]
    with pytest.raises(CheckpointError, match="different things, breast and exam; score each kind"):
        load_scorers(files)
