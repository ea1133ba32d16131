import json
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli.evaluate import LEVELS, command
from cli.evaluation_text import evaluation_text
from dali_pipelines.errors import ConfigError, DatasetError, GateError
from dali_pipelines.manifest import write_manifest
from dali_pipelines.manifest_schema import SCHEMA
from trainer.aggregation import levels
from trainer.aggregation import policy as policy_module
from trainer.decisions.calibration import Calibration
from trainer.decisions.decision import Decision
from trainer.evaluation.evaluation import Evaluation, LevelFigures, Subgroup
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.interval import Interval
from trainer.scores.trained_images import TRAINED_ON, told_trained

SCORES = pd.DataFrame(
    {
        "image_id": ["i1", "i2", "i3", "i4"],
        "patient_id": ["007", "007", "7", "7"],  # two patients, not one
        "laterality": ["L", "R", "L", "R"],
        "view": ["CC", "CC", "MLO", "CC"],
        "prob": [0.9, 0.2, 0.4, 0.3],
        "cancer": [1, 0, 0, 0],
    }
)
COLUMNS = 80  # of a terminal


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    return _written(SCORES, tmp_path / "p.csv")


def _written(scores: pd.DataFrame, path: Path) -> Path:
    scores.to_csv(path, index=False)
    return path


def _run(*args: str | Path) -> Result:
    given = ["--bootstrap", "20", *map(str, args)]
    return CliRunner().invoke(command, given, standalone_mode=False)


def _document(*args: str | Path) -> Any:
    return json.loads(_run(*args, "--json").stdout)


def _rows(result: Result) -> dict[str, list[str]]:
    """The first table of the output, by the names of its lines."""
    _, table, *_ = result.stdout.split("\n\n")
    return {line.split("  ")[0].strip(): line.split()[1:] for line in table.splitlines()}


def _manifest(path: Path, **columns: list[object]) -> Path:
    blank = {field.name: [None] * 4 for field in SCHEMA}
    frame = pd.DataFrame({**blank, "image_id": SCORES["image_id"], **columns})
    write_manifest(frame, path)
    return path


def _many(noise: float = 0.0) -> pd.DataFrame:
    """120 images of 30 women, ten with a cancer, three of them seen twice."""
    rows = []
    for woman in range(30):
        for number, (exam, side) in enumerate(("1L", "1R", "2L", "2R")):
            cancer = int(woman % 3 == 0 and side == "L")
            swing = ((woman * 7 + number * 3) % 10) / 40 + noise * ((woman * 3 + number) % 7)
            name = f"w{woman}{exam if woman < 3 else ''}"
            rows.append((f"i{woman}-{number}", f"w{woman}", name, side, 0.2 + swing, cancer))
    columns = ["image_id", "patient_id", "exam_id", "laterality", "prob", "cancer"]
    scores = pd.DataFrame(rows, columns=columns)
    return scores.assign(view="CC", prob=(scores["prob"] + 0.15 * scores["cancer"]).clip(0, 1))


def test_the_document_holds_every_level(predictions: Path) -> None:
    document = _document(predictions)
    figures = {level: found["figures"] for level, found in document["levels"].items()}
    assert {level: found["n"] for level, found in figures.items()} == {
        "image": 4,
        "breast": 4,
        "exam": 2,
        "patient": 2,
    }
    assert figures["breast"]["auroc"] == 1.0
    assert (document["images"], document["aggregation"]) == (4, "mean/max/max")


def test_the_table_is_for_people(predictions: Path) -> None:
    result = _run(predictions)
    assert "4 images with a label" in result.stdout
    rows = _rows(result)
    assert rows["n"] == ["4", "4", "2"]
    assert rows["npos"] == ["1", "1", "1"]
    assert rows["auroc"][0] == "1.000"
    assert "each patient has one exam" in result.stdout
    assert "exam" not in result.stdout.split("\n\n")[1]  # patients have one each
    assert "*  under 10 patients" in result.stdout
    assert "-  no threshold is known" in result.stdout


def test_everything_fits_a_terminal(tmp_path: Path) -> None:
    scores = _written(_many(), tmp_path / "p.csv")
    other = _written(_many(noise=0.05), tmp_path / "q.csv")
    makers = [f"Maker of a very long name indeed {n % 5}" for n in range(120)]
    blank = {field.name: [None] * 120 for field in SCHEMA}
    columns = {**blank, "image_id": _many()["image_id"], "manufacturer": makers}
    frame = pd.DataFrame(columns).assign(dataset=[f"d{n % 3}" for n in range(120)])
    write_manifest(frame, tmp_path / "m.parquet")
    by = ("--manifest", tmp_path / "m.parquet", "--by", "vendor,site", "--by", "laterality")
    result = _run(scores, *by, "--against", other, "--threshold", "0.3")
    assert result.exception is None
    lines = result.stdout.splitlines()
    assert [line for line in lines if len(line) > COLUMNS] == []
    assert all(line == line.rstrip() for line in lines)
    heads = [line.split() for line in lines if line.startswith("  ") and "image" in line]
    assert heads[0][0] == "image"
    for title in ("breast by vendor", "breast by site", "breast by laterality", "this - other"):
        assert title in result.stdout


def test_great_counts_stand_apart() -> None:
    counts = {"n": 250_000, "npos": 12_345, "auroc": 0.9}
    found = LevelFigures(counts, {"auroc": Interval(0.8, 0.95)}, 125_000, 12_345)
    evaluation = Evaluation(
        EvaluationOptions(), 500_000, 0, {"breast": found},
        {"view": (Subgroup("Konica Minolta", 250_000, {"breast": found}),)},
    )  # fmt: skip
    lines = evaluation_text(evaluation, "breast").splitlines()
    row = next(line for line in lines if line.startswith("Konica Minolta"))
    assert row.split()[2:5] == ["125,000", "250,000", "12,345"]
    assert max(map(len, lines)) <= COLUMNS


@pytest.mark.parametrize(("auroc", "cancers"), [(0.97, 20), (0.97, 60), (0.9, 20)])
def test_an_interval_that_is_too_narrow_is_said_to_be(auroc: float, cancers: int) -> None:
    figures = {"n": 300, "npos": cancers, "auroc": auroc}
    found = LevelFigures(figures, {"auroc": Interval(0.8, 0.99)}, 300, cancers)
    text = evaluation_text(Evaluation(EvaluationOptions(), 300, 0, {"image": found}, {}), "image")
    assert ("too narrow" in " ".join(text.split())) == ((auroc, cancers) == (0.97, 20))
    assert all(len(line) <= COLUMNS for line in text.splitlines())


def test_exams_are_shown_where_a_patient_has_several(tmp_path: Path) -> None:
    tables = _run(_written(_many(), tmp_path / "p.csv")).stdout.split("\n\n")
    assert tables[1].splitlines()[0].split() == ["image", "breast"]
    assert tables[2].splitlines()[0].split() == ["exam", "patient"]
    assert tables[2].splitlines()[1].split() == ["n", "33", "30"]


def test_exams_that_are_as_patients_are_shown_where_asked_for(predictions: Path) -> None:
    assert "each patient has one exam" in _run(predictions, "--level", "breast").stdout
    asked = _run(predictions, "--level", "exam").stdout
    assert [table.split()[:2] for table in asked.split("\n\n")[1:3]] == [
        ["image", "*"],
        ["exam", "*"],
    ]
    assert "each patient has one exam" not in asked
    assert max(map(len, asked.splitlines())) <= COLUMNS
    about = {"decision": Decision("exam", "f1", 0.35).to_dict()}
    predictions.with_name("p_about.json").write_text(json.dumps(about))
    rows = _run(predictions).stdout.split("\n\n")[2].splitlines()
    assert next(row.split() for row in rows if row.startswith("thr")) == [
        "threshold", "0.3500", "-",
    ]  # fmt: skip


def test_exams_have_subgroups_gates_and_comparisons(tmp_path: Path) -> None:
    scores = _written(_many(), tmp_path / "p.csv")
    other = _written(_many(noise=0.05), tmp_path / "q.csv")
    exam = ("--level", "exam")
    result = _run(scores, *exam, "--by", "view", "--against", other, "--min-auroc", "0.1")
    assert result.exception is None
    assert "exam by view" in result.stdout
    assert result.stdout.split("\n\n")[-1].startswith("exam ")
    assert "the exam AUROC" in str(_run(scores, *exam, "--min-auroc", "1").exception)


def test_images_that_were_trained_on_are_told_and_pass_no_gate(tmp_path: Path) -> None:
    seen = _written(_many(), tmp_path / "p.csv")
    unseen, unknown = (_written(_many(), tmp_path / name) for name in ("q.csv", "r.csv"))
    for path, images in ((seen, 30), (unseen, 0)):
        about = {TRAINED_ON: told_trained(images)}
        path.with_name(f"{path.stem}_about.json").write_text(json.dumps(about))
    warning = "warning: 30 of 120 images were trained on: the figures flatter\n"
    assert [_run(path).stderr for path in (seen, unseen, unknown)] == [warning, "", ""]
    known = [_document(path)["trained_on"] for path in (seen, unseen, unknown)]
    assert known == [30, 0, None]
    for gate in ("--min-auroc", "--min-auroc-low"):
        closed = _run(seen, gate, "0")
        assert isinstance(closed.exception, GateError)
        assert "30 of 120 images were trained on" in str(closed.exception)
        assert "auroc" in closed.stdout
        assert _run(unseen, gate, "0").exception is None
    compared = _run(unseen, "--against", seen, "--json")
    assert "trained on by the other model" in compared.stderr
    assert json.loads(compared.stdout)["against_trained_on"] == 30


def test_a_threshold_that_was_chosen_on_these_images_is_said_to_be(tmp_path: Path) -> None:
    scores = _written(SCORES, tmp_path / "oof.csv")
    settings = {"monitor": "breast/auroc", "aggregate": "max/max"}
    model = {"settings": settings, "threshold": 0.35}
    (tmp_path / "model.json").write_text(json.dumps(model))
    result = _run(scores)
    assert "no threshold is known" not in result.stdout
    assert "!  chosen on these very images: threshold of the breast;" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= COLUMNS
    document = _document(scores)
    assert document["decision_chosen_on_these"] is True
    assert document["levels"]["breast"]["threshold"] == 0.35
    assert document["aggregation"] == "max/max/max"
    assert "chosen on" not in _run(scores, "--threshold", "0.2").stdout


def test_what_is_undefined_is_shown_as_such(tmp_path: Path) -> None:
    scores = _written(SCORES.assign(cancer=0), tmp_path / "p.csv")
    assert _document(scores)["levels"]["image"]["figures"]["auroc"] is None
    assert _rows(_run(scores))["auroc"] == ["-", "-", "-"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--min-auroc", "0.9"), "the image AUROC is 0.6667, below --min-auroc 0.9"),
        (("--min-auroc-low", "0.6"), "AUROC's low end is undefined, below --min-auroc-low 0.6"),
    ],
)
def test_a_gate_closes_after_the_figures_are_out(
    tmp_path: Path, options: tuple[str, str], text: str
) -> None:
    scores = _written(SCORES.assign(cancer=[0, 0, 1, 0]), tmp_path / "q.csv")
    closed = _run(scores, *options, "--level", "image")
    assert isinstance(closed.exception, GateError)
    assert closed.exception.exit_code == 5
    assert text in str(closed.exception)
    assert "auroc" in closed.stdout


def test_a_gate_opens(predictions: Path, tmp_path: Path) -> None:
    assert _run(predictions, "--min-auroc", "1").exception is None
    assert _run(predictions, "--min-auroc", "0", "--level", "image").exception is None
    many = _written(_many(), tmp_path / "p.csv")
    found = _document(many)["levels"]["image"]
    low, auroc = found["intervals"]["auroc"][0], found["figures"]["auroc"]
    assert low < auroc
    image = ("--level", "image")
    assert _run(many, "--min-auroc", str(auroc), *image).exception is None
    assert _run(many, "--min-auroc-low", str(low), *image).exception is None
    between = str((low + auroc) / 2)
    assert _run(many, "--min-auroc", between, *image).exception is None
    assert "low end" in str(_run(many, "--min-auroc-low", between, *image).exception)


def test_what_no_class_defines_passes_no_gate(tmp_path: Path) -> None:
    scores = _written(SCORES.assign(cancer=0), tmp_path / "r.csv")
    assert "undefined" in str(_run(scores, "--min-auroc", "0.1").exception)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--min-auroc", "nan"), click.BadParameter),
        (("--threshold", "1.5"), click.BadParameter),
        (("--min-auroc-low", "0.5", "--bootstrap", "0"), click.UsageError),
        (("--by", "vendors"), ConfigError),
        (("--aggregate", "median"), ConfigError),
        (("--by", "vendor"), DatasetError),
        (("--against", "nowhere.csv"), ConfigError),
    ],
)
def test_wrong_usage_is_refused(
    predictions: Path, options: tuple[str, ...], error: type[Exception]
) -> None:
    assert isinstance(_run(predictions, *options).exception, error)


@pytest.mark.parametrize("column", ["image_id", "sop_instance_uid"])
def test_labels_come_from_a_manifest(tmp_path: Path, column: str) -> None:
    bare = _written(SCORES.drop(columns="cancer"), tmp_path / "p.csv")
    missing = _run(bare)
    assert isinstance(missing.exception, DatasetError)
    assert "lack cancer" in str(missing.exception)
    names: dict[str, list[object]] = {column: ["i4", "i3", "i2", "i1"], "cancer": [0, 1, 0, 0]}
    if column != "image_id":
        names["image_id"] = ["a", "b", "c", "d"]
    manifest = _manifest(tmp_path / "m.parquet", **names)
    found = _document(bare, "--manifest", manifest)
    assert found["levels"]["image"]["figures"]["auroc"] == pytest.approx(2 / 3)
    warned = _run(_written(SCORES, tmp_path / "p.csv"), "--manifest", manifest)
    assert "2 labels of the predictions differ" in warned.stderr


def test_labels_that_a_manifest_takes_away_are_told(predictions: Path, tmp_path: Path) -> None:
    manifest = _manifest(tmp_path / "m.parquet", cancer=[1, 0, None, None])
    result = _run(predictions, "--manifest", manifest)
    assert "2 labels of the predictions differ from" in result.stderr
    assert "2 images with a label, 2 without are left out" in result.stdout


def test_a_manifest_that_does_not_fit_is_refused(predictions: Path, tmp_path: Path) -> None:
    bare = _written(SCORES.drop(columns="cancer"), tmp_path / "b.csv")
    unlabeled = _manifest(tmp_path / "m.parquet")
    assert "have labels" in str(_run(bare, "--manifest", unlabeled).exception)
    same = _run(predictions, "--manifest", unlabeled)  # its own labels stay
    assert same.exception is None
    assert same.stderr == ""
    other = _manifest(tmp_path / "m.parquet", image_id=["i1", "x", "y", "z"], cancer=[0, 0, 1, 1])
    assert "3 of 4 predicted images are not in" in str(
        _run(predictions, "--manifest", other).exception
    )


def test_subgroups_are_shown_on_the_level_asked_for(predictions: Path, tmp_path: Path) -> None:
    makers: list[object] = ["GE Healthcare", "GE", "HOLOGIC, Inc.", None]
    manifest = _manifest(tmp_path / "m.parquet", manufacturer=makers, age=[44, 44, 71, None])
    by = ("--manifest", manifest, "--by", "vendor,age", "--level", "patient")
    document = _document(predictions, *by)
    values = {name: [g["value"] for g in groups] for name, groups in document["subgroups"].items()}
    assert values == {
        "vendor": ["GE", "Hologic", "unknown"],
        "age": ["40-49", "70 and over", "unknown"],
    }
    assert set(document["subgroups"]["age"][0]["levels"]) == {"patient"}
    lines = _run(predictions, *by).stdout.splitlines()
    start = lines.index("patient by vendor")
    assert lines[start + 2].split() == ["GE", "*", "1", "1", "1", "-", "-"]


def test_the_rules_of_aggregation_are_those_asked_for(predictions: Path) -> None:
    document = _document(predictions, "--aggregate", "spr-1st-code")
    assert document["aggregation"] == "max/max/max"


def test_the_policies_of_aggregation_are_in_the_help() -> None:
    text = " ".join(CliRunner().invoke(command, ["--help"]).stdout.split())
    for policy, values in policy_module._POLICIES.items():
        assert f"{policy}={'|'.join(values)}" in text


def test_a_threshold_shows_what_follows_from_it(predictions: Path) -> None:
    result = _run(predictions, "--threshold", "0.35")
    rows = _rows(result)
    assert rows["threshold"] == ["0.3500"] * 3
    assert [rows[name] for name in ("tp", "fp", "fn", "tn")] == [
        ["1", "1", "1"],
        ["1", "1", "1"],
        ["0", "0", "0"],
        ["2", "2", "0"],
    ]
    assert "no threshold" not in result.stdout


def test_the_decision_beside_the_predictions_counts_on_its_level(predictions: Path) -> None:
    about = {"aggregation": "max/max", "decision": Decision("breast", "f1", 0.35).to_dict()}
    predictions.with_name("p_about.json").write_text(json.dumps(about))
    document = _document(predictions)
    assert document["aggregation"] == "max/max/max"
    assert document["levels"]["breast"]["threshold"] == 0.35
    assert document["levels"]["image"]["threshold"] is None
    assert _rows(_run(predictions))["threshold"] == ["-", "0.3500", "-"]
    other_rules = _document(predictions, "--aggregate", "mean")
    assert other_rules["levels"]["breast"]["threshold"] is None


def test_calibrated_risks_are_judged_beside_the_scores(predictions: Path) -> None:
    risks = Calibration("isotonic", knots=((0.0, 0.0), (0.5, 0.0), (0.9, 1.0)))
    about = {"decision": Decision("breast", "f1", 0.35, risks).to_dict()}
    predictions.with_name("p_about.json").write_text(json.dumps(about))
    lines = _run(predictions).stdout.splitlines()
    below = lines[next(n for n, line in enumerate(lines) if line.startswith("brier")) + 1]
    assert below.split() == ["calibrated", "-", "0.000", "-"]


def test_levels_are_those_of_the_trainer() -> None:
    assert LEVELS == levels.LEVELS


def test_two_models_are_compared_on_the_same_images(tmp_path: Path) -> None:
    scores = _written(_many(), tmp_path / "p.csv")
    other = _written(_many(noise=0.05), tmp_path / "q.csv")
    document = _document(scores, "--against", other)
    assert set(document["against"]) == {"breast"}
    found = document["against"]["breast"]
    assert found["differences"]["auroc"]["difference"] == pytest.approx(
        found["figures"]["auroc"] - found["other"]["auroc"]
    )
    table = _run(scores, "--against", other, "--level", "patient").stdout.split("\n\n")[-1]
    assert table.splitlines()[0].split() == ["patient", "this", "other", "this", "-", "other", "p"]
    assert table.splitlines()[1].split()[0] == "auroc"
    assert (
        table.splitlines()[-1] == "p is of each figure alone, not corrected for how many there are"
    )
    fewer = _written(_many()[1:], tmp_path / "r.csv")
    refused = _run(scores, "--against", fewer)
    assert isinstance(refused.exception, DatasetError)
    assert "1 of 120 are in the first alone" in str(refused.exception)


def test_curves_are_written_where_asked_for(
    predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def write_curves(scores: pd.DataFrame, options: EvaluationOptions, folder: Path) -> list[Path]:
        asked.append((len(scores), options.repeats, folder))
        return [folder / "roc_image.csv"]

    monkeypatch.setattr("trainer.evaluation.curve_files.write_curves", write_curves)
    result = _run(predictions, "--curves", tmp_path / "curves")
    assert asked == [(4, 20, tmp_path / "curves")]
    assert result.exception is None
    assert "1 file of curves" in result.stderr
    assert "roc_image" not in result.stdout
