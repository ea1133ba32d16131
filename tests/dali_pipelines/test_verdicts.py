"""rejects.csv: every row readable, private, and harmless in a spreadsheet."""

import csv
import stat
from pathlib import Path

import pytest

from dali_pipelines.verdicts import Reason, Reject, RejectError, Status, write_rejects


def test_codes_are_unique_and_tell_skipped_from_failed() -> None:
    values = [reason.value for reason in Reason]
    assert len(values) == len(set(values))
    assert Reason.NOT_DICOM.status is Status.SKIPPED
    assert Reason.TRUNCATED.status is Status.FAILED


def test_rejects_are_sorted_private_and_quoted(tmp_path: Path) -> None:
    rejects = [
        Reject("b.dcm", "", "", "scan", Reason.TRUNCATED, "line\nbreak"),
        Reject("a.zip", "=cmd()", "id", "read", Reason.NOT_DICOM, "-1 looks like a formula"),
        Reject("a\udcff", "", "", "scan", Reason.EMPTY, "a name that is not UTF-8"),
    ]
    path = tmp_path / "rejects.csv"
    assert write_rejects(rejects, path) == 3
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["code"] for row in rows] == ["not_dicom", "E_EMPTY", "E_TRUNCATED"]
    assert rows[0]["member"] == "'=cmd()"
    assert rows[0]["detail"] == "'-1 looks like a formula"
    assert rows[1]["path"] == "a\\udcff"
    assert rows[2]["detail"] == "line\\nbreak"
    assert rows[2]["status"] == "failed"
    assert [item.name for item in tmp_path.iterdir()] == ["rejects.csv"]


def test_a_reject_error_says_code_and_detail() -> None:
    with pytest.raises(RejectError, match=r"^E_EMPTY: the file has 0 bytes$") as caught:
        raise RejectError(Reason.EMPTY, "the file has 0 bytes")
    assert caught.value.reason is Reason.EMPTY
