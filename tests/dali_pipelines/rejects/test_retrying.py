"""A retry is offered for tables of scan and preprocess, and for no other."""

from pathlib import Path

import pytest

from dali_pipelines.rejects.explanations import explain
from dali_pipelines.rejects.retrying import Retry, find_retry
from dali_pipelines.verdicts import Reason, Reject


def row(reason: Reason, stage: str = "read") -> Reject:
    return Reject("/p", "", "", stage, reason, "")


ROWS = [row(Reason.CHANGED), row(Reason.IO, "walk"), row(Reason.COLOR), row(Reason.TIMEOUT)]


@pytest.mark.parametrize(
    ("table", "beside"),
    [
        ("m_verify_rejects.csv", "m.parquet"),
        ("predictions_rejects.csv", "predictions.csv"),
        ("rejects.csv", "best.pt"),
        ("copy.csv", "copy.parquet"),
    ],
)
def test_verify_predict_and_train_have_none(table: str, beside: str, tmp_path: Path) -> None:
    (tmp_path / beside).touch()
    assert find_retry(ROWS, tmp_path / table) is None


def test_scan_and_preprocess_complete_what_they_wrote(tmp_path: Path) -> None:
    (tmp_path / "a b.parquet").touch()
    table = tmp_path / "a b_rejects.csv"
    command = f"mammo scan -O '{tmp_path}/a b.parquet' --retry-failed"
    assert find_retry(ROWS, table) == Retry(command, 3, 1)
    assert find_retry([*ROWS, row(Reason.CORRUPT, "decode")], table) == Retry(command, 3, 1)
    assert find_retry([row(Reason.COLOR)], table) is None
    (tmp_path / "spec.json").touch()
    command = f"mammo preprocess MANIFEST {tmp_path} --retry-failed"
    assert find_retry(ROWS, tmp_path / "rejects.csv") == Retry(command, 2, 1)


def test_one_and_many_in_words() -> None:
    assert Retry("x", 1, 0).text() == "`x` opens the 1 failed input again, once it is mended"
    assert Retry("x", 1, 1).text().endswith("it is mended; it may pass unmended too")
    assert Retry("x", 9, 2).text().endswith("they are mended; 2 of them may pass unmended too")


def test_no_advice_names_an_option_that_not_every_command_has() -> None:
    assert not [reason for reason in Reason if "--retry" in explain(reason).advice]
