import json
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.aggregation.levels import aggregate
from trainer.scores.reading import read_predictions


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
    assert set(aggregate(table, "patient")["patient_id"]) == {"None", "nan"}  # one has no score
    assert aggregate(table, "breast")["laterality"].to_list() == ["?", "L"]


def test_a_table_of_earlier_versions_has_one_exam_a_patient(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("image_id,patient_id,laterality,view,prob\nx,007,L,CC,0.5\ny,7,L,CC,0.5\n")
    table = read_predictions(path)
    assert table["exam_id"].to_list() == ["007", "7"]
    assert list(table.columns)[1:3] == ["patient_id", "exam_id"]
    path.write_text("image_id,prob\nx,0.5\n")
    assert "exam_id" not in read_predictions(path).columns


def test_every_digit_of_a_score_counts(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    shown = ["0.1", "0.30000000000000004", "5e-324", "0.9999999999999999", "1"]
    path.write_text("image_id,prob\n" + "".join(f"i{n},{s}\n" for n, s in enumerate(shown)))
    assert read_predictions(path)["prob"].to_list() == [float(s) for s in shown]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no table of scores"),
        ("a,b\n1,2\n", "lacks the column image_id, prob"),
        ("image_id,prob,cancer\nx,0.5,maybe\n", "column 'cancer' must hold numbers.*line 2"),
        ("image_id,prob,cancer\nx,1,1\ny,1,0.5\n", "column 'cancer' must hold whole.*line 3"),
        ("image_id,prob,fold\nx,1,inf\ny,1,1\n", "column 'fold' must hold whole.*line 2"),
        ("image_id,prob\nx,0.5\ny,high\n", "column 'prob' must hold numbers.*line 3"),
        ("image_id,prob\nx,0.5\ny,0.5\nx,0.5\n", "1 rows of an image that has a row already"),
        ("image_id,patient_id,prob\nx,,0.5\ny,p,0.5\n", "1 rows with an empty patient_id"),
        ("image_id,prob\nx,0.5,7,8\n", "no table of scores"),
        ("patient_id,laterality,prob,images\nx,L,0.5,2\n", "lacks the column image_id; wanted is"),
        ("[", "is no JSON document"),
        ("[" * 100_000, "is no JSON document"),
        ("[1, 2]", "is no list of JSON objects"),
        ('[{"image_id": "x"}]', "lacks the column prob"),
        ('[{"image_id": "x", "prob": [1]}]', "column 'prob' must hold numbers.*line 2"),
        ('[{"image_id": "x", "prob": 1' + "0" * 400 + "}]", "column 'prob' must hold.*line 2"),
        ("[]", "lacks the column image_id, prob"),
    ],
)
def test_what_is_no_table_of_scores_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message) as caught:
        read_predictions(path)
    assert "high" not in str(caught.value)  # no cell is shown
    assert "maybe" not in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no predictions"):
        read_predictions(tmp_path / "absent.csv")
    path = tmp_path / "p.csv"
    path.write_bytes(b"PAR1" + bytes(range(200, 255)))
    with pytest.raises(DatasetError, match="is no parquet file"):
        read_predictions(path)
    path.write_bytes(b"image_id,prob\n\xff,0.5\n")
    with pytest.raises(DatasetError, match="no table of scores"):
        read_predictions(path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = pa.table([["x"], [0.5], [0.6]], names=["image_id", "prob", "prob"])
    pq.write_table(twice, tmp_path / "p.parquet")
    with pytest.raises(DatasetError, match="two columns of one name"):
        read_predictions(tmp_path / "p.parquet")


def test_a_manifest_is_no_table_of_scores(toy_manifest: Path) -> None:
    with pytest.raises(DatasetError, match="lacks the column prob; wanted is the table with a row"):
        read_predictions(toy_manifest)


def test_json_of_others_is_read(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"  # the bytes say what it is
    rows = [
        {"image_id": 7, "prob": 1, "cancer": None, "view": None},
        {"image_id": "8", "prob": None, "cancer": 1, "more": "x"},
    ]
    path.write_text(json.dumps(rows))
    table = read_predictions(path)
    assert table["image_id"].to_list() == ["7", "8"]
    assert table["cancer"].to_list() == [pd.NA, 1]
    assert table["view"].to_list() == ["", ""]
    assert table["prob"].isna().to_list() == [False, True]
