"""A label file -> its columns as text, with the line of each row; and text -> values.

Text, because a number loses the leading zeros of an id. Comma, semicolon or tab; byte order mark
and CRLF are taken as they come. Errors name lines of the file and never show a cell: any cell may
be an id.
"""

import csv
import difflib
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dali_pipelines.dicom.header import MAX_AGE_YEARS
from dali_pipelines.errors import ConfigError, DatasetError

_DELIMITERS: Final = ",;\t"
_MOST_LINES: Final = 5  # named in one message
_NOTHING: Final = frozenset({"", "nan", "na", "n/a", "none", "null"})
_LABELS: Final = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_WHOLE: Final = re.compile(r"0*(\d{1,4})(?:\.0+)?Y?")  # 58, 58.0, and DICOM's 058Y
_SIMILAR: Final = 0.75  # a slip of the pen such as "lable", and no id that took the header's place


@dataclass(frozen=True, slots=True)
class Table:
    """`columns` maps a name in lower case to its cells; `lines` (n,) are line numbers from 1."""

    path: Path
    columns: dict[str, list[str]]
    lines: list[int]

    def __contains__(self, name: str) -> bool:
        return name.lower() in self.columns

    def column(self, name: str) -> list[str]:
        """The cells of a column, in whatever case it is written; DatasetError if there is none."""
        return self.columns[self.first_of([name]).lower()]

    def first_of(self, names: Sequence[str]) -> str:
        """The first of `names` that is a column; DatasetError if none is."""
        for name in names:
            if name in self:
                return name
        wanted = " or ".join(map(repr, names))
        raise DatasetError(
            f"{self.path.name!r} has no column {wanted} in its first line{self._similar(names)}"
        )

    def _similar(self, names: Sequence[str]) -> str:
        """The end of a sentence, with the column that is nearly one of `names`.

        No other is shown: a table without a line of column names begins with a patient.
        """
        for name in names:
            for near in difflib.get_close_matches(name.lower(), self.columns, 1, _SIMILAR):
                return f"; is it {near!r}?"
        return "; name the columns there"

    def labels(self, name: str) -> list[int | None]:
        """A column of 0 and 1, None where a cell says nothing; DatasetError for anything else."""
        cells = [cell.lower() for cell in self.column(name)]
        wrong = [i for i, cell in enumerate(cells) if cell not in _LABELS and cell not in _NOTHING]
        self.require_none(wrong, f"column {name!r} must hold 0, 1 or nothing")
        return [_LABELS.get(cell) for cell in cells]

    def numbers(self, name: str, high: int) -> list[int | None]:
        """A column of whole numbers 0 ... high; None where a cell says nothing else."""
        found = [_WHOLE.fullmatch(cell) for cell in self.column(name)]
        values = [int(match[1]) if match else None for match in found]
        return [value if value is None or value <= high else None for value in values]

    def ages(self, name: str) -> list[int | None]:
        """A column of ages in years, capped at MAX_AGE_YEARS; 0 is how tables say unknown."""
        years = self.numbers(name, 130)
        return [min(value, MAX_AGE_YEARS) if value else None for value in years]

    def texts(self, name: str) -> list[str]:
        """A column of text, "" where a cell says nothing."""
        return ["" if cell.lower() in _NOTHING else cell for cell in self.column(name)]

    def names(self, name: str) -> list[str]:
        """A column of ids; DatasetError where one is empty."""
        cells = self.column(name)
        empty = [i for i, cell in enumerate(cells) if not cell]
        self.require_none(empty, f"column {name!r} must name something in each row")
        return cells

    def require_none(self, rows: Sequence[int], rule: str) -> None:
        """Raise DatasetError, naming their lines, if there are `rows` that break a rule."""
        if rows:
            lines = name_lines(self.lines[row] for row in rows)
            raise DatasetError(f"{self.path.name!r}: {rule}; {lines} differ")


def name_lines(lines: Iterable[int]) -> str:
    """Line numbers for a message: "lines 2, 3, 9 and 41 more"."""
    ordered = sorted(set(lines))
    shown = ", ".join(map(str, ordered[:_MOST_LINES]))
    more = len(ordered) - _MOST_LINES
    return f"lines {shown}" + (f" and {more} more" if more > 0 else "")


def read_table(path: Path) -> Table:
    """The table in a text file, cells without the space around them.

    Raises ConfigError if there is no such file, DatasetError if it is not a table.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"no labels {str(path)!r} can be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name!r} is not UTF-8 text; save it as CSV UTF-8") from error
    try:
        rows, lines = _read_rows(text)
    except csv.Error as error:
        raise DatasetError(f"{path.name!r} is not a table of text: {error}") from error
    if len(rows) < 2:
        raise DatasetError(f"{path.name!r} holds no rows below its line of column names")
    header = [name.lower() for name in rows[0]]
    if len(set(header)) < len(header):
        raise DatasetError(f"{path.name!r} has two columns of one name")
    table = Table(path, {}, lines[1:])
    ragged = [i for i, row in enumerate(rows[1:]) if len(row) != len(header)]
    table.require_none(ragged, f"each row must have {len(header)} cells as the first has")
    return Table(
        path, dict(zip(header, map(list, zip(*rows[1:], strict=True)), strict=True)), lines[1:]
    )


def _read_rows(text: str) -> tuple[list[list[str]], list[int]]:
    """The rows that are not blank, and the line on which each begins."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=first.count)
    rows, lines, start = [], [], 1
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True
    )
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            rows.append(cells)
            lines.append(start)
        start = reader.line_num + 1
    return rows, lines
