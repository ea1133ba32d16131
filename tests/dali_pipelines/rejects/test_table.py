"""rejects.csv: private, harmless in a spreadsheet, and read back as it was."""

import csv
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.errors import ConfigError
from dali_pipelines.rejects.table import (
    REJECT_COLUMNS,
    read_rejects,
    rejects_beside,
    write_rejects,
)
from dali_pipelines.verdicts import Reason, Reject

HEAD = ",".join(REJECT_COLUMNS) + "\n"
SURROGATES = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])
TEXT = st.text(st.one_of(st.sampled_from("\\nru'=+-@\t\r\n\",;/"), SURROGATES, st.characters()))


def test_each_table_has_its_own() -> None:
    assert rejects_beside(Path("a/train.parquet")) == Path("a/train_rejects.csv")
    assert rejects_beside(Path("scores.csv")) == Path("scores_rejects.csv")


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


@settings(deadline=None)  # it writes to a disk
@given(st.lists(st.builds(Reject, TEXT, TEXT, TEXT, TEXT, st.sampled_from(Reason), TEXT)))
def test_any_row_comes_back(rejects: list[Reject]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rejects.csv"
        write_rejects(rejects, path)
        content = path.read_bytes()
        assert content.count(b"\r\n") == len(rejects) + 1, "one line a row"
        back = read_rejects(path)
        assert sorted(back, key=repr) == sorted(rejects, key=repr)
        write_rejects(back, path)
        assert path.read_bytes() == content


def test_what_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rejects.csv"
    reject = Reject("/a.dcm", "", "", "read", Reason.EMPTY, "the file has no bytes")
    write_rejects([reject], path)
    path.write_bytes("\ufeff".encode() + path.read_bytes() + b"\r\n")
    assert read_rejects(path) == [reject]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no table of rejects"),
        (b"image_id,cancer\na,1\n", "no table of rejects"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe", "no table of rejects"),
        (f"{HEAD}/JANE/a,,,read,failed,E_EMPTY\n".encode(), "line 2 has 6 cells, not 7"),
        (f"{HEAD}/JANE/a,,,read,failed,E_EMPTY,x,y\n".encode(), "line 2 has 8 cells, not 7"),
        (f"{HEAD}/JANE/a,,,read,failed,E_LATER,x\n".encode(), "line 2 of .* does not know"),
        (f"{HEAD}/a,,,read,failed,/JANE,x\n".encode(), "line 2 of .* does not know"),
    ],
)
def test_another_or_a_damaged_file_is_one_sentence(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "rejects.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence) as caught:
        read_rejects(path)
    assert "JANE" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_is_one_sentence(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(ConfigError, match="no table of rejects"):
            read_rejects(path)
