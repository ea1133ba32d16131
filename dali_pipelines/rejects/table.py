"""The table of rejects: a row for each input that gave no image, written and read back exactly.

A working file: mode 0600, since it names paths. A folder that one command fills holds it as
REJECTS; beside a file it has that file's name in its own.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from dali_pipelines.atomic import PRIVATE_MODE, replacing
from dali_pipelines.columns import escape_line, unescape
from dali_pipelines.errors import ConfigError
from dali_pipelines.verdicts import Reason, Reject

REJECTS: Final = "rejects.csv"
REJECT_COLUMNS: Final = ("path", "member", "image_id", "stage", "status", "code", "detail")

# what a spreadsheet would read as a formula; and a quote, which would be taken for ours
_QUOTED: Final = frozenset("=+-@\t'")
_WANTED: Final = "name a rejects.csv, or an OUT_rejects.csv, of this program"


def rejects_beside(table: Path) -> Path:
    """Where the rejects of a table are written: those of "train.parquet" to "train_rejects.csv"."""
    return table.with_name(f"{table.stem}_rejects.csv")


def write_rejects(rejects: Iterable[Reject], path: Path) -> int:
    """Write a table of rejects (mode 0600, in one step) sorted by input; return the row count."""
    rows = sorted(rejects, key=lambda r: (r.path, r.member, r.stage, r.reason.value, r.image_id))
    with (
        replacing(path, PRIVATE_MODE) as aside,
        aside.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(REJECT_COLUMNS)
        for r in rows:
            cells = (r.path, r.member, r.image_id, r.stage, r.reason.status, r.reason, r.detail)
            writer.writerow(_safe_cell(str(cell)) for cell in cells)
    return len(rows)


def read_rejects(path: Path) -> list[Reject]:
    """The rows that `write_rejects` was given, in the order of the file.

    Raises ConfigError where there is no such file, or it is no table of rejects.
    """
    if not path.is_file():
        raise ConfigError(
            f"no table of rejects {str(path)!r}; scan, preprocess, predict and train write one"
        )
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            if next(reader, None) != list(REJECT_COLUMNS):
                raise ConfigError(f"{str(path)!r} is no table of rejects; {_WANTED}")
            return [_reject(cells, path, reader.line_num) for cells in reader if cells]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{str(path)!r} is no table of rejects; {_WANTED}") from error


def _reject(cells: list[str], path: Path, line: int) -> Reject:
    """One row; what it holds is not shown, since a damaged one may hold a path anywhere."""
    if len(cells) != len(REJECT_COLUMNS):
        raise ConfigError(
            f"{str(path)!r} is damaged: line {line} has {len(cells)} cells, not "
            f"{len(REJECT_COLUMNS)}; run the command that wrote it again"
        )
    row = dict(zip(REJECT_COLUMNS, map(_plain_cell, cells), strict=True))
    try:
        reason = Reason(row["code"])
    except ValueError:
        raise ConfigError(
            f"line {line} of {str(path)!r} has a code that this version does not know; use the "
            "version that wrote it"
        ) from None
    return Reject(row["path"], row["member"], row["image_id"], row["stage"], reason, row["detail"])


def _safe_cell(text: str) -> str:
    """Text on one line, and quoted where a spreadsheet would read a formula."""
    line = escape_line(text)
    return f"'{line}" if line[:1] in _QUOTED else line


def _plain_cell(cell: str) -> str:
    """What `_safe_cell` was given."""
    return unescape(cell[1:] if cell[:1] == "'" and cell[1:2] in _QUOTED else cell)
