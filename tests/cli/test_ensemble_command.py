import json
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli.ensemble import CALIBRATE, CHOOSE, COMBINE, command
from dali_pipelines.errors import ConfigError
from trainer.decisions.calibration import METHODS as CALIBRATIONS
from trainer.ensembles.choose import METHODS
from trainer.ensembles.combine import COMBINES
from trainer.ensembles.ensemble_file import read_ensemble


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A cross-validation of two folds whose scores tell something."""
    rng = np.random.default_rng(0)
    for fold in (0, 1):
        folder = tmp_path / f"run/fold-{fold}"
        folder.mkdir(parents=True)
        (folder / "model.json").write_text(f'{{"fold": {fold}}}')
        cancer = np.arange(40) % 4 == 0
        logits = cancer + rng.normal(size=40)
        patients = [f"p{fold}-{n}" for n in range(40)]
        columns = {
            "image_id": [f"i{name}" for name in patients], "patient_id": patients,
            "laterality": "L", "view": "CC", "prob": 1 / (1 + np.exp(-logits)), "logit": logits,
            "cancer": cancer.astype(int), "fold": fold, "recipe_hash": "abc",
        }  # fmt: skip
        pd.DataFrame(columns).to_csv(folder / "oof.csv", index=False)
    return tmp_path / "run"


def _run(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], standalone_mode=False)


def test_the_choices_are_those_of_the_trainer() -> None:
    assert (CHOOSE, COMBINE, CALIBRATE) == (METHODS, COMBINES, CALIBRATIONS)


def test_both_figures_are_printed_and_stored(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new/ensemble.json"
    result = _run(run, "-O", out, "--calibrate", "platt", "--rule", "spec90")
    assert result.exception is None
    stored = read_ensemble(out)
    assert [member.fold for member in stored.members] == [0, 1]
    assert stored.decision is not None
    assert stored.decision.rule == "spec90"
    flattering, nested = stored.figures["flattering"], stored.figures["nested"]
    assert f"on the patients that it was chosen on  {flattering['auroc']:.4f}" in result.stdout
    low, high = nested["intervals"]["auroc"]
    honest = f"without a part in it  {nested['figures']['auroc']:.4f}  [{low:.4f}, {high:.4f}]"
    assert honest in result.stdout
    assert "fold-1" in result.stdout
    assert "groups: how many nested choices it is in" in result.stdout
    before, after = nested["uncalibrated"], nested["figures"]
    assert before["brier"] != after["brier"]
    assert (
        f"by platt calibration:\n  Brier {before['brier']:.4f} -> {after['brier']:.4f}, "
        f"log loss {before['logloss']:.4f} -> {after['logloss']:.4f}, ECE {before['ece']:.4f} -> "
    ) in result.stdout
    assert len(pd.read_csv(tmp_path / "new/ensemble_oof.csv")) == 80


def test_the_document_says_all(run: Path, tmp_path: Path) -> None:
    result = _run(run / "fold-0", run / "fold-1", "-O", tmp_path / "e.json", "--json")
    document = json.loads(result.stdout)
    assert [c["fold"] for c in document["candidates"]] == [0, 1]
    assert [(c["times"], c["groups"]) for c in document["candidates"]] == [(1, 5), (1, 5)]
    assert document["figures"] == read_ensemble(tmp_path / "e.json").figures
    assert document["lost"] == 0
    assert document["figures"]["nested"]["uncalibrated"] is None
    assert "calibration" not in _run(run, "-O", tmp_path / "e.json").stdout


def test_too_few_patients_are_said_and_an_older_table_goes(run: Path, tmp_path: Path) -> None:
    assert _run(run, "-O", tmp_path / "e.json").exception is None
    for path in run.glob("*/oof.csv"):
        table = pd.read_csv(path)
        table.assign(cancer=(table["patient_id"] == "p0-0").astype(int)).to_csv(path, index=False)
    result = _run(run, "-O", tmp_path / "e.json")
    assert "nested: too few patients of a class" in result.stdout
    assert not (tmp_path / "e_oof.csv").exists()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--weighted", "--choose", "all"], click.UsageError),
        (["--per-fold", "1", "--choose", "all"], click.UsageError),
        (["--figure", "breast/aurocc"], ConfigError),
        (["--rule", "best"], ConfigError),
        (["--aggregate", "average"], ConfigError),
        (["--groups", "1"], click.BadParameter),
    ],
)
def test_usage_is_checked(
    run: Path, tmp_path: Path, options: list[str], error: type[Exception]
) -> None:
    result = _run(run, "-O", tmp_path / "e.json", *options)
    assert isinstance(result.exception, error)
    assert not (tmp_path / "e.json").exists()


def test_no_input_is_overwritten(run: Path, tmp_path: Path) -> None:
    model = run / "fold-0/model.json"
    before = model.read_bytes()
    assert isinstance(_run(run, "-O", model).exception, ConfigError)
    assert model.read_bytes() == before
    assert isinstance(_run(run, "-O", tmp_path / "e.csv").exception, ConfigError)
