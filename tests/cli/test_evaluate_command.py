import json
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli.evaluate import command
from dali_pipelines.errors import DatasetError, GateError
from dali_pipelines.manifest import write_manifest
from dali_pipelines.manifest_schema import SCHEMA

SCORES = pd.DataFrame(
    {
        "image_id": ["i1", "i2", "i3", "i4"],
        "patient_id": ["007", "007", "7", "7"],  # two patients, not one
        "laterality": ["L", "R", "L", "R"],
        "prob": [0.9, 0.2, 0.4, 0.3],
        "cancer": [1, 0, 0, 0],
    }
)


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    SCORES.to_csv(tmp_path / "p.csv", index=False)
    return tmp_path / "p.csv"


def _run(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], standalone_mode=False)


def _manifest(path: Path, **columns: list[object]) -> Path:
    blank = {field.name: [None] * 4 for field in SCHEMA}
    frame = pd.DataFrame({**blank, "image_id": SCORES["image_id"], **columns})
    write_manifest(frame, path)
    return path


def test_the_document_holds_every_level(predictions: Path) -> None:
    figures = json.loads(_run(predictions, "--json").stdout)
    assert (figures["image/n"], figures["breast/n"], figures["patient/n"]) == (4, 4, 2)
    assert figures["breast/auroc"] == 1.0
    assert len(figures) == 27


def test_the_table_is_for_people(predictions: Path) -> None:
    lines = _run(predictions).stdout.splitlines()
    assert lines[0].split() == ["image", "breast", "patient"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["n"] == ["4", "4", "2"]
    assert rows["auroc"] == ["1.0000", "1.0000", "1.0000"]


def test_what_is_undefined_is_shown_as_such(tmp_path: Path) -> None:
    SCORES.assign(cancer=0).to_csv(tmp_path / "p.csv", index=False)
    assert json.loads(_run(tmp_path / "p.csv", "--json").stdout)["image/auroc"] is None
    assert "auroc                    -         -         -" in _run(tmp_path / "p.csv").stdout


def test_a_gate_opens_or_not_after_the_figures_are_out(predictions: Path, tmp_path: Path) -> None:
    assert _run(predictions, "--min-auroc", "1").exception is None
    SCORES.assign(cancer=[0, 0, 1, 0]).to_csv(tmp_path / "q.csv", index=False)
    closed = _run(tmp_path / "q.csv", "--min-auroc", "0.9", "--level", "image")
    assert isinstance(closed.exception, GateError)
    assert closed.exception.exit_code == 5
    assert "image AUROC is 0.6667, below --min-auroc 0.9" in str(closed.exception)
    assert "auroc" in closed.stdout
    SCORES.assign(cancer=0).to_csv(tmp_path / "r.csv", index=False)
    assert isinstance(_run(predictions, "--min-auroc", "nan").exception, click.BadParameter)
    assert isinstance(_run(predictions, "--level", "image").exception, click.UsageError)
    undefined = _run(tmp_path / "r.csv", "--min-auroc", "0.1")
    assert "undefined" in str(undefined.exception)


@pytest.mark.parametrize("column", ["image_id", "sop_instance_uid"])
def test_labels_come_from_a_manifest(tmp_path: Path, column: str) -> None:
    bare = SCORES.drop(columns="cancer")
    bare.to_csv(tmp_path / "p.csv", index=False)
    missing = _run(tmp_path / "p.csv")
    assert isinstance(missing.exception, DatasetError)
    assert "lack cancer" in str(missing.exception)
    names: dict[str, list[object]] = {column: ["i4", "i3", "i2", "i1"], "cancer": [0, 1, 0, 0]}
    if column != "image_id":
        names["image_id"] = ["a", "b", "c", "d"]
    manifest = _manifest(tmp_path / "m.parquet", **names)
    figures = json.loads(_run(tmp_path / "p.csv", "--labels", manifest, "--json").stdout)
    assert figures["image/auroc"] == pytest.approx(2 / 3)


def test_a_manifest_that_does_not_fit_is_refused(predictions: Path, tmp_path: Path) -> None:
    unlabeled = _run(predictions, "--labels", _manifest(tmp_path / "m.parquet"))
    assert "has no labels" in str(unlabeled.exception)
    other = _manifest(tmp_path / "m.parquet", image_id=["i1", "x", "y", "z"], cancer=[0, 0, 1, 1])
    assert "3 of 4 predicted images are not in" in str(
        _run(predictions, "--labels", other).exception
    )
