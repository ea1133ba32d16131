"""`mammo rejects`: each code explained, files named by image_id unless paths are asked for."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from cli.rejects import command
from dali_pipelines.errors import ConfigError
from dali_pipelines.rejects.explanations import explain
from dali_pipelines.rejects.table import write_rejects
from dali_pipelines.verdicts import Flag, Reason, Reject

ROWS = [
    Reject("/JANE/a.dcm", "", "", "read", Reason.TRUNCATED, "ends at byte 9"),
    Reject("/JANE/z.zip", "in\x1b[2J/b", "", "read", Reason.TRUNCATED, "ends at byte 7"),
    Reject("/JANE/c.dcm", "", "1f" * 16, "compare", Reason.DUPLICATE, "the same"),
    Reject("/JANE/d.dcm", "", "", "walk", Reason.IO, "gone"),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "m_rejects.csv"
    write_rejects(ROWS, path)
    return path


def run(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], standalone_mode=False)


def parsed(*args: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(run(*args, "--json").stdout)
    return document


def test_counts_by_code_the_most_frequent_first_and_explained(table: Path) -> None:
    result = run(table)
    assert result.exception is None
    about = [explain(code) for code in (Reason.TRUNCATED, Reason.IO, Reason.DUPLICATE)]
    assert result.stdout.splitlines() == [
        "4 inputs gave no image: 1 skipped (duplicate 1), 3 failed (E_TRUNCATED 2, E_IO 1)",
        "E_TRUNCATED (failed)  2",
        f"    {about[0].meaning}",
        f"    {about[0].advice}",
        "E_IO (failed)  1",
        f"    {about[1].meaning}",
        f"    {about[1].advice}",
        "duplicate (skipped)  1",
        f"    {about[2].meaning}",
        f"    {about[2].advice}",
    ]
    document = parsed(table)
    assert [document[key] for key in ("inputs", "skipped", "failed", "retry")] == [4, 1, 3, None]
    assert document["codes"][0] == {
        "code": "E_TRUNCATED",
        "status": "failed",
        "meaning": about[0].meaning,
        "advice": about[0].advice,
        "count": 2,
    }


def test_a_retry_is_offered_where_there_is_one(table: Path, tmp_path: Path) -> None:
    (tmp_path / "m.parquet").touch()
    command = f"mammo scan -O {tmp_path}/m.parquet --retry-failed"
    assert run(table).stdout.splitlines()[-1] == (
        f"`{command}` opens the 3 failed inputs again, once they are mended"
    )
    assert parsed(table)["retry"] == {"command": command, "failed": 3, "may_pass": 0}


def test_an_empty_table_says_so(tmp_path: Path) -> None:
    write_rejects([], tmp_path / "r.csv")
    assert run(tmp_path / "r.csv").stdout == "0 inputs gave no image: none at all\n"
    assert parsed(tmp_path / "r.csv")["codes"] == []


def test_rows_go_by_image_id_unless_paths_are_asked_for(table: Path) -> None:
    result = run(table, "--code", "duplicate", "--code", "E_TRUNCATED")
    assert result.stdout.splitlines() == [
        f"{'line 2':<32}  E_TRUNCATED  read  ends at byte 9",
        f"{'1f' * 16}  duplicate  compare  the same",
        f"{'line 5':<32}  E_TRUNCATED  read  ends at byte 7",
    ]
    assert "2 of 3 have no image_id" in result.stderr
    assert "JANE" not in result.output
    assert "JANE" not in run(table, "--code", "E_TRUNCATED", "--json").output
    shown = run(table, "--code", "E_TRUNCATED", "--paths")
    assert shown.stdout.splitlines()[1::2] == [
        "    /JANE/a.dcm",
        "    /JANE/z.zip  member in\\x1b[2J/b",
    ]
    assert shown.stderr == ""
    (row,) = parsed(table, "--code", "E_IO", "--paths")["rows"]
    assert row == {
        "image_id": "", "stage": "walk", "detail": "gone", "path": "/JANE/d.dcm", "member": "",
        "code": "E_IO", "line": 4,
    }  # fmt: skip


def test_the_whole_closed_set_is_printed() -> None:
    document = parsed("--codes")
    assert [entry["code"] for entry in document["reasons"]] == list(Reason)
    assert [entry["code"] for entry in document["flags"]] == list(Flag)
    assert {entry["status"] for entry in document["flags"]} == {"flagged"}
    lines = run("--codes").stdout.splitlines()
    assert lines[::3] == [
        *(f"{reason.value} ({reason.status.value})" for reason in Reason),
        *(f"{flag.value} (flagged)" for flag in Flag),
    ]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        ([], "Missing argument 'FILE'"),
        (["--codes", "m.csv"], "stands alone"),
        (["--codes", "--code", "E_IO"], "stands alone"),
        (["m.csv", "--paths"], "--paths needs --code"),
        (["m.csv", "--code", "unproven"], "mammo preview MANIFEST --flag unproven"),
        (["m.csv", "--code", "E_TRUNCATE"], "Did you mean 'E_TRUNCATED'"),
    ],
)
def test_wrong_usage(args: list[str], sentence: str) -> None:
    result = run(*args)
    assert isinstance(result.exception, click.UsageError)
    assert sentence in str(result.exception)
    assert result.stdout == ""


def test_another_file_is_a_sentence(tmp_path: Path) -> None:
    other = tmp_path / "predictions.csv"
    other.write_text("image_id,prob\na,0.5\n")
    for path in (other, tmp_path / "none.csv"):
        result = run(path)
        assert isinstance(result.exception, ConfigError)
        assert "no table of rejects" in str(result.exception)
