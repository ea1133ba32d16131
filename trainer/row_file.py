"""A file of one JSON document a line: it grows by rows, and is cut back to a place of the run.

A row names the epoch it belongs to, counted from 1. With a "block" it was written when so many
blocks of that epoch were done, without one when the epoch was closed.
"""

import json
import os
from collections.abc import Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from typing import Any

from dali_pipelines.atomic import replacing

Row = Mapping[str, Any]


def append_row(path: Path, row: Row) -> None:
    """Add a row at the end, where other processes can read it at once."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(dict(row)) + "\n")


def sync_rows(path: Path) -> None:
    """Have the rows so far on disk; without them a later checkpoint would know of lost ones."""
    if path.exists():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, up to the first that is none of ours; none where there is no file."""
    return list(_rows(path)) if path.exists() else []


def cut_back(path: Path, epoch: int, blocks: int) -> tuple[list[Row], list[Row]]:
    """Remove what a run wrote after `blocks` blocks of epoch `epoch`, both counted from 0.

    Returns the rows that stay and those that went. A last line that a crash cut short goes too.
    """
    if not path.exists():
        return [], []
    rows = read_rows(path)
    kept = list(takewhile(lambda row: _place(row) <= (epoch, blocks), rows))
    with replacing(path) as aside:
        aside.write_text("".join(json.dumps(dict(row)) + "\n" for row in kept), encoding="utf-8")
    return kept, rows[len(kept) :]


def _place(row: Row) -> tuple[int, int]:
    """Epochs and blocks that were done when the row was written."""
    return (row["epoch"] - 1, row["block"]) if "block" in row else (row["epoch"], 0)


def _rows(path: Path) -> Iterator[Row]:
    """The rows up to the first that is none of ours."""
    for line in path.read_bytes().split(b"\n"):
        try:
            row = json.loads(line)
        except ValueError:  # also a line that is no UTF-8
            return
        if not isinstance(row, dict) or not isinstance(row.get("epoch"), int):
            return
        yield row
