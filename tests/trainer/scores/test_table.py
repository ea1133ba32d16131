from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.identity import image_id
from trainer.aggregation.levels import breast_scores, patient_scores
from trainer.scores.table import key_path, prediction_table, read_predictions, write_csv

KEY = bytes(range(32))


def test_scored_images_are_named_by_hashes_alone(toy_frame: pd.DataFrame) -> None:
    logits = np.full(len(toy_frame), np.nan)
    logits[[0, 1, 6]] = [0.0, np.log(3), -800]
    table = prediction_table(toy_frame, logits, "abc", KEY)
    assert table["image_id"].to_list() == ["p00LCC", "p00LMLO", "p01RCC"]
    assert table["prob"].to_list() == pytest.approx([0.5, 0.75, 0.0])
    assert table["cancer"].to_list() == [1, 1, 0]
    assert table["fold"].to_list() == [0, 0, 0]
    assert set(table["recipe_hash"]) == {"abc"}
    patients = table["patient_id"].to_list()
    assert patients[0] == patients[1] == image_id(KEY, "patient:p00") != patients[2]
    assert list(table.columns) == [
        "image_id", "patient_id", "laterality", "view", "prob", "logit", "cancer", "fold",
        "recipe_hash",
    ]  # fmt: skip


def test_raw_names_are_those_of_the_header(toy_frame: pd.DataFrame) -> None:
    bare = toy_frame.drop(columns=["cancer", "fold"]).assign(laterality="")
    table = prediction_table(bare, np.zeros(len(bare)), "abc", None)
    assert table["image_id"].iloc[0] == "1.2.p00LCC"
    assert table["patient_id"].iloc[0] == "p00"
    assert set(table["laterality"]) == {"?"}
    assert "cancer" not in table.columns


def test_images_of_unknown_patients_are_one_patient_a_study(toy_frame: pd.DataFrame) -> None:
    nameless = toy_frame.assign(patient_id="")
    raw = prediction_table(nameless, np.zeros(64), "abc", None)["patient_id"]
    assert raw.nunique() == 16
    assert raw.iloc[0].endswith("1.3.p00")
    assert all(name.isprintable() for name in raw)
    hashed = prediction_table(nameless, np.zeros(64), "abc", KEY)["patient_id"]
    assert hashed.nunique() == 16


def test_a_table_comes_back_from_its_file(toy_frame: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    numbered = toy_frame.assign(patient_id=[f"{i // 4:03d}" for i in range(64)])
    partly = numbered.assign(cancer=numbered["cancer"].where(numbered.index > 3))
    table = prediction_table(partly, np.linspace(-3, 3, 64), "0123456789e2", None)
    write_csv(table, path)
    back = read_predictions(path)
    assert back["patient_id"].iloc[5] == "001"
    assert back["recipe_hash"].iloc[0] == "0123456789e2"
    assert back["cancer"].isna().sum() == 4
    assert back["prob"].to_list() == table["prob"].to_list()


def test_an_id_that_reads_as_missing_stays_an_id(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "image_id,patient_id,laterality,prob,cancer,fold\n"
        "NA,None,,0.5,,0\nnull,nan,L,0.25,1,NA\nN/A,NULL,R,,0,1\n"
    )
    table = read_predictions(path)
    assert table["image_id"].to_list() == ["NA", "null", "N/A"]
    assert table["patient_id"].to_list() == ["None", "nan", "NULL"]
    assert table["cancer"].isna().to_list() == [True, False, False]
    assert table["fold"].isna().to_list() == [False, True, False]
    assert table["prob"].isna().to_list() == [False, False, True]
    assert set(patient_scores(breast_scores(table))["patient_id"]) == {"None", "nan", "NULL"}
    assert breast_scores(table)["laterality"].to_list() == ["R", "?", "L"]  # by patient


def test_what_is_no_table_of_scores_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no predictions"):
        read_predictions(tmp_path / "absent.csv")
    path = tmp_path / "p.csv"
    for text, message in (
        ("", "no table of scores"),
        ("a,b\n1,2\n", "lacks the column image_id, prob"),
        ("image_id,prob,cancer\nx,0.5,maybe\n", "no table of scores"),
        ("image_id,prob,cancer\nx,0.5,0.5\n", "no table of scores"),
        ("image_id,prob\nx,high\n", "no table of scores"),
        ("image_id,prob\nx,0.5\ny,0.5\nx,0.5\n", "1 rows of an image that has a row already"),
        ("image_id,patient_id,prob\nx,,0.5\ny,p,0.5\n", "1 rows with an empty patient_id"),
    ):
        path.write_text(text)
        with pytest.raises(DatasetError, match=message):
            read_predictions(path)
    path.write_text("patient_id,laterality,prob,images\nx,L,0.5,2\n")
    with pytest.raises(DatasetError, match="lacks the column image_id; wanted is the CSV with a r"):
        read_predictions(path)
    path.write_bytes(b"PAR1" + bytes(range(200, 255)))
    with pytest.raises(DatasetError, match="is a parquet file, such as a manifest; wanted is the"):
        read_predictions(path)
    path.write_bytes(b"image_id,prob\n\xff,0.5\n")
    with pytest.raises(DatasetError, match="no table of scores"):
        read_predictions(path)


def test_the_key_lies_beside_the_manifest() -> None:
    assert key_path(Path("a/m.parquet")) == Path("a/m.key")
