import json
from pathlib import Path

import pytest

from trainer.row_file import append_row, cut_back, sync_rows

ROWS = [
    {"epoch": 1, "step": 2, "block": 2},
    {"epoch": 1, "step": 4, "block": 4},
    {"epoch": 1, "step": 4, "auroc": None},
    {"epoch": 2, "step": 6, "block": 2},
    {"epoch": 2, "step": 8, "auroc": 0.5},
]


def _file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    for row in ROWS:
        append_row(path, row)
    return path


@pytest.mark.parametrize(
    ("epoch", "blocks", "kept"),
    [(0, 0, 0), (0, 1, 0), (0, 2, 1), (0, 4, 2), (1, 0, 3), (1, 1, 3), (1, 2, 4), (2, 0, 5)],
)
def test_what_was_written_after_the_place_goes(
    tmp_path: Path, epoch: int, blocks: int, kept: int
) -> None:
    path = _file(tmp_path)
    whole = path.read_bytes()
    assert cut_back(path, epoch, blocks) == (ROWS[:kept], ROWS[kept:])
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS[:kept]
    for row in ROWS[kept:]:
        append_row(path, row)
    assert path.read_bytes() == whole, "a run that goes on leaves the same bytes"


@pytest.mark.parametrize("tail", [b'{"epoch": 3, "st', b"\xff", b"[1]\n", b'{"step": 9}\n', b"\n"])
def test_a_line_that_was_cut_short_goes(tmp_path: Path, tail: bytes) -> None:
    path = _file(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + tail)
    assert cut_back(path, 9, 0) == (ROWS, [])
    assert path.read_bytes() == whole


def test_no_file_is_no_row(tmp_path: Path) -> None:
    sync_rows(tmp_path / "none")
    assert cut_back(tmp_path / "none", 3, 0) == ([], [])
    assert list(tmp_path.iterdir()) == []
    sync_rows(_file(tmp_path))
