"""A text file of labels -> its table.

Comma, semicolon or tab; byte order mark and CRLF are taken as they come.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from dali_pipelines.adapters.table import Table
from dali_pipelines.errors import ConfigError, DatasetError

_DELIMITERS: Final = ",;\t"
_HEADER_BYTES: Final = 1 << 16  # EMBED's widest table names about 150 columns


def read_bytes(path: Path, size: int = -1) -> bytes:
    """The first `size` bytes of a file of labels, -1 for all; ConfigError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise _unreadable(path, error) from error


def read_table(path: Path, keep: Collection[str] | None = None) -> Table:
    """The table in a text file, cells without the space around them; of its columns only `keep`.

    Raises ConfigError if there is no such file, DatasetError if it is not a table.
    """
    delimiter = _delimiter(_first_line(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # csv has its own line breaks
            return make_table(path, _read_rows(file, delimiter), keep)
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path.name!r} is not UTF-8 text; save it as CSV UTF-8") from error
    except csv.Error as error:
        raise DatasetError(f"{path.name!r} is not a table of text: {error}") from error


def make_table(
    path: Path, rows: Iterable[tuple[int, Sequence[str]]], keep: Collection[str] | None = None
) -> Table:
    """The table of rows (line, cells), of which the first names the columns; errors as above.

    A column without a name is left out.
    """
    ordered = iter(rows)
    header = [name.strip().lower() for name in next(ordered, (0, ()))[1]]
    wanted = [i for i, name in enumerate(header) if name and (keep is None or name in keep)]
    lines, cells, ragged = [], [], []
    for line, row in ordered:
        lines.append(line)
        if len(row) == len(header):
            cells.append([row[i].strip() for i in wanted])
        else:
            ragged.append(len(lines) - 1)
    if not lines:
        raise DatasetError(f"{path.name!r} holds no rows below its line of column names")
    names = [header[i] for i in wanted]
    if len(set(names)) < len(names):
        raise DatasetError(f"{path.name!r} has two columns of one name")
    rule = f"each row must have {len(header)} cells as the first has"
    Table(path, {}, lines).require_none(ragged, rule)
    columns = zip(*cells, strict=True)
    return Table(path, dict(zip(names, map(list, columns), strict=True)), lines)


def read_header(path: Path) -> list[str]:
    """The names of the columns in lower case, as far as the first line of the file tells."""
    first = _first_line(path)
    try:
        rows = list(_read_rows([first], _delimiter(first)))
    except csv.Error:
        return []
    return [name.strip().lower() for _, cells in rows for name in cells]


def _first_line(path: Path) -> str:
    """The first line that is not blank, as far as it is needed."""
    text = read_bytes(path, _HEADER_BYTES).decode("utf-8-sig", errors="replace")
    return next((line for line in text.splitlines() if line.strip()), "")


def _delimiter(first: str) -> str:
    return max(_DELIMITERS, key=first.count)


def _read_rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not blank, each with the line on which it begins."""
    start = 1
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield start, row
        start = reader.line_num + 1


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"no table {str(path)!r} can be read: {error.strerror}")
