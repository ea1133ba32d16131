import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError
from trainer.aggregation.policy import parse_aggregation
from trainer.decisions.decision import Decision
from trainer.scores.reading import read_predictions
from trainer.scores.table import prediction_table
from trainer.scores.writing import beside, write_scores, write_tables

FORMATS = [".csv", ".json", ".parquet"]


@pytest.fixture
def table(toy_frame: pd.DataFrame) -> pd.DataFrame:
    """Scores with ids that look like numbers, unknown labels and scores of many digits."""
    numbered = toy_frame.assign(patient_id=[f"{i // 4:03d}" for i in range(64)])
    partly = numbered.assign(cancer=numbered["cancer"].where(numbered.index > 3))
    logits = np.random.default_rng(0).normal(0, 9, 32).repeat(2)  # of breasts
    return prediction_table(partly, logits, "0123456789e2", None, "breast")


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_table_comes_back_from_its_file(table: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"p{suffix}"
    write_scores(table, path)
    back = read_predictions(path)
    assert list(back.columns) == list(table.columns)
    assert back["patient_id"].iloc[5] == "001"
    assert back["recipe_hash"].iloc[0] == "0123456789e2"
    assert back["cancer"].isna().sum() == 4
    for name in table.columns:
        same = back[name].to_numpy(object, na_value=None) == table[name].to_numpy(
            object, na_value=None
        )
        assert same.all(), name


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_table_is_the_same_bytes(table: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    write_scores(table, tmp_path / f"a{suffix}")
    write_scores(table.copy(), tmp_path / f"b{suffix}")
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_json_is_a_list_of_objects_one_a_line(table: pd.DataFrame, tmp_path: Path) -> None:
    write_scores(table, tmp_path / "p.json")
    text = (tmp_path / "p.json").read_text()
    rows = json.loads(text)
    assert len(rows) == 64 == len(text.splitlines()) - 2
    assert rows[0]["cancer"] is None
    assert rows[4]["cancer"] == 0
    assert rows[4]["prob"] == table["prob"].iloc[4]
    write_scores(table.iloc[:0], tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_another_suffix_is_refused(table: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"must end in \.csv, \.json, \.parquet"):
        write_scores(table, tmp_path / "p.txt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_each_level_has_a_table(table: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / "new" / f"scores{suffix}"
    facts = write_tables(table, [], out)
    counts = {name: fact["n"] for name, fact in facts.items()}
    assert counts == {"image": 64, "breast": 32, "exam": 16, "patient": 16, "rejects": 0}
    names = {Path(fact["path"]).name for fact in facts.values()}
    levels = {f"scores_{level}{suffix}" for level in ("breast", "exam", "patient")}
    assert names == {out.name, "scores_rejects.csv"} | levels
    assert {path.name for path in out.parent.iterdir()} == names


def test_rules_and_a_decision_are_applied(table: pd.DataFrame, tmp_path: Path) -> None:
    decision = Decision("exam", "f1", 0.5)
    write_tables(table, [], tmp_path / "s.csv", parse_aggregation("max/max"), decision)
    exams = pd.read_csv(tmp_path / "s_exam.csv", dtype={"patient_id": "str"})
    assert exams["prob"].to_list() == table.groupby("patient_id")["prob"].max().to_list()
    assert exams["positive"].to_list() == (exams["prob"] >= 0.5).astype(int).to_list()
    assert "positive" not in pd.read_csv(tmp_path / "s_breast.csv").columns


def test_what_goes_with_a_table_is_named_after_it() -> None:
    assert beside(Path("a/s.parquet"), "breast") == Path("a/s_breast.parquet")
    assert beside(Path("a/s.csv"), "about", ".json") == Path("a/s_about.json")
