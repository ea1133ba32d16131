"""A file of labels -> its table, whatever it is kept as: text, a spreadsheet, mini-MIAS's list."""

from collections.abc import Collection
from pathlib import Path
from typing import Final

import pandas as pd

from dali_pipelines.adapters.mias import COLUMNS, is_mias, read_mias
from dali_pipelines.adapters.table import Table
from dali_pipelines.adapters.table_text import make_table, read_bytes, read_header, read_table
from dali_pipelines.errors import DatasetError, DeviceError

_HEAD_BYTES: Final = 1 << 16
_XLSX: Final = b"PK\x03\x04"
_XLS: Final = b"\xd0\xcf\x11\xe0"


def open_table(path: Path, keep: Collection[str] | None = None) -> Table:
    """The table in a file, of its columns only `keep`.

    Raises ConfigError if there is no such file, DatasetError if it is not a table, DeviceError if
    it is a spreadsheet and openpyxl is missing.
    """
    head = read_bytes(path, _HEAD_BYTES)
    if head.startswith(_XLS):
        raise DatasetError(f"{path.name!r} is a spreadsheet of the old kind; save it as CSV UTF-8")
    if head.startswith(_XLSX):
        return _read_spreadsheet(path, keep)
    if is_mias(head):
        return read_mias(path)
    return read_table(path, keep)


def columns_of(path: Path) -> list[str]:
    """The names of the columns of a file, in lower case; errors as of `open_table`."""
    head = read_bytes(path, _HEAD_BYTES)
    if head.startswith((_XLS, _XLSX)):
        return list(open_table(path).columns)
    return list(COLUMNS) if is_mias(head) else read_header(path)


def _read_spreadsheet(path: Path, keep: Collection[str] | None) -> Table:
    """The first sheet, with the numbers of its rows for lines."""
    try:
        cells = pd.read_excel(path, header=None, dtype=str, engine="openpyxl")
    except ImportError as error:
        raise DeviceError(
            f"{path.name!r} is a spreadsheet, which needs openpyxl; install that or save the table "
            "as CSV UTF-8"
        ) from error
    except Exception as error:  # openpyxl raises whatever a damaged file leads it to
        raise DatasetError(
            f"{path.name!r} is no spreadsheet; save the table as CSV UTF-8"
        ) from error
    filled = cells.fillna("").map(str.strip)
    rows = enumerate(filled.itertuples(index=False, name=None), start=1)
    return make_table(path, [(line, row) for line, row in rows if any(row)], keep)
