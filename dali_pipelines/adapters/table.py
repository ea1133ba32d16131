"""A table of labels: its columns as text, with the line of each row; and text -> values.

Text, because a number loses the leading zeros of an id. Errors name lines of the file and never
show a cell: any cell may be an id.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

from dali_pipelines.dicom.header import MAX_AGE_YEARS
from dali_pipelines.dicom.laterality_view import SIDES
from dali_pipelines.errors import ConfigError, DatasetError

T = TypeVar("T")
Row = tuple[str, int]  # the file name of a table, and a line in it
Rows = tuple[Row, ...]

_MOST_LINES: Final = 5  # named in one message
_NOTHING: Final = frozenset({"", "nan", "na", "n/a", "none", "null"})
_LABELS: Final = {"0": 0, "1": 1, "0.0": 0, "1.0": 1}
_WHOLE: Final = re.compile(r"0*(\d{1,5})(?:\.0+)?Y?")  # 58, 58.0, and DICOM's 058Y
_FILE_SUFFIXES: Final = frozenset((".dcm", ".dicom", ".png", ".jpg", ".tif", ".tiff", ".pgm"))
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

    def codes(self, name: str, values: Mapping[str, T]) -> list[T | None]:
        """What the cells of a column stand for, None where one says nothing.

        Keys of `values` are in upper case; 1.0 is read as 1, which a column with gaps is saved as.
        DatasetError for any other cell.
        """
        cells = [cell.upper().removesuffix(".0") for cell in self.texts(name)]
        wrong = [i for i, cell in enumerate(cells) if cell and cell not in values]
        self.require_none(wrong, f"column {name!r} must hold {', '.join(values)} or nothing")
        return [values.get(cell) for cell in cells]

    def sides(self, name: str) -> list[str]:
        """A column of L, R or B (both), also written out; DatasetError for anything else."""
        cells = [cell.upper() for cell in self.texts(name)]
        wrong = [i for i, cell in enumerate(cells) if cell and cell not in SIDES]
        self.require_none(wrong, f"column {name!r} must hold L, R, B (both) or nothing")
        return [SIDES.get(cell, "") for cell in cells]

    def stems(self, name: str) -> list[str]:
        """A column of files, without their folders and suffixes; DatasetError where one is empty.

        Only suffixes of images go: the last number of a UID is none.
        """
        files = [PurePosixPath(cell.replace("\\", "/")) for cell in self.names(name)]
        return [f.stem if f.suffix.lower() in _FILE_SUFFIXES else f.name for f in files]

    @property
    def rows(self) -> list[Rows]:
        """(n,) which row of which table each is, as one that may be joined with others."""
        return [((self.path.name, line),) for line in self.lines]

    def numbers(self, name: str, high: int) -> list[int | None]:
        """A column of whole numbers 0 ... high; None where a cell says nothing else."""
        found = [_WHOLE.fullmatch(cell) for cell in self.column(name)]
        values = [int(match[1]) if match else None for match in found]
        return [value if value is None or value <= high else None for value in values]

    def whole_numbers(self, name: str, high: int) -> list[int | None]:
        """As `numbers`, but DatasetError where a cell says anything else."""
        values = self.numbers(name, high)
        wrong = [i for i, cell in enumerate(self.texts(name)) if cell and values[i] is None]
        self.require_none(wrong, f"column {name!r} must hold 0 ... {high} or nothing")
        return values

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

    def where(self, name: str) -> "Table":
        """The rows in which a column says something."""
        kept = [i for i, cell in enumerate(self.texts(name)) if cell]
        columns = {key: [cells[i] for i in kept] for key, cells in self.columns.items()}
        return Table(self.path, columns, [self.lines[i] for i in kept])

    def require_none(self, rows: Sequence[int], rule: str) -> None:
        """Raise DatasetError, naming their lines, if there are `rows` that break a rule."""
        if rows:
            lines = differing_lines(self.lines[row] for row in rows)
            raise DatasetError(f"{self.path.name!r}: {rule}; {lines}")


def only(tables: Sequence[Table]) -> Table:
    """The table of a kind of which a data set has one; ConfigError for several."""
    if len(tables) > 1:
        names = ", ".join(repr(table.path.name) for table in tables)
        raise ConfigError(f"{names} are tables of one kind, of which one is read; name that alone")
    return tables[0]


def name_lines(lines: Iterable[int]) -> str:
    """Line numbers for a message: "line 2", "lines 2, 3, 9 and 41 more"."""
    ordered = sorted(set(lines))
    if len(ordered) == 1:
        return f"line {ordered[0]}"
    shown = ", ".join(map(str, ordered[:_MOST_LINES]))
    more = len(ordered) - _MOST_LINES
    return f"lines {shown}" + (f" and {more} more" if more > 0 else "")


def differing_lines(lines: Iterable[int]) -> str:
    """The end of a sentence on a rule that lines break: "line 2 differs", "lines 2, 3 differ"."""
    named = name_lines(lines)
    return f"{named} differ" if named.startswith("lines") else f"{named} differs"
