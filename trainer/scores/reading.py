"""Files of predictions -> the table of scores; whatever their format, it is told by the bytes.

A file may come from anywhere, so its values are checked. Errors name lines, never cells: any may
be an id.
"""

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dali_pipelines.adapters.table import name_lines
from dali_pipelines.errors import ConfigError, DatasetError

# an id may look like a number, and must stay text; it may also read "NA" or "null", so only numbers
# can be missing
_TEXTS: Final = (
    *("image_id", "patient_id", "exam_id", "laterality", "view", "view_modifiers", "unit_id"),
    "recipe_hash",
)
_FLOATS: Final = ("prob", "logit")
_INTEGERS: Final = ("cancer", "fold")
_BLANKS: Final = ("", "NA", "N/A", "NaN", "nan", "<NA>")
_EXACT: Final = 2**53  # whole numbers beyond are not all to be told apart
_PARQUET_MAGIC: Final = b"PAR1"
_WANTED: Final = (
    "wanted is the table with a row an image that `mammo predict` wrote to -O, not that of "
    "breasts, exams or patients"
)


def read_predictions(path: Path) -> pd.DataFrame:
    """The rows of a predictions file, ids as text, cancer and fold with <NA> where unknown.

    Where the file has no exam_id, as earlier versions wrote them, a patient has one exam, named as
    she is. Raises ConfigError if there is no such file, DatasetError if it is no table of scores.
    """
    if not path.is_file():
        raise ConfigError(f"no predictions {str(path)!r}; `mammo predict` writes them")
    table = _READERS[_kind(path)](path)
    missing = sorted({"image_id", "prob"} - set(table.columns))
    if missing:
        raise DatasetError(f"{str(path)!r} lacks the column {', '.join(missing)}; {_WANTED}")
    if table.columns.has_duplicates:
        raise DatasetError(f"{str(path)!r} has two columns of one name; {_WANTED}")
    for name, typed in _TYPES.items():
        if name in table.columns:
            table[name] = typed(table[name], path)
    _require_ids(table, path)
    if "exam_id" not in table.columns and "patient_id" in table.columns:
        place = list(table.columns).index("patient_id") + 1
        table.insert(place, "exam_id", table["patient_id"])
    return table


def _kind(path: Path) -> str:
    with path.open("rb") as file:
        first = file.read(len(_PARQUET_MAGIC))
    if first == _PARQUET_MAGIC:
        return "parquet"
    return "json" if first.lstrip().startswith(b"[") else "csv"


def _read_csv(path: Path) -> pd.DataFrame:
    text = dict.fromkeys((*_TEXTS, *_FLOATS, *_INTEGERS), "str")
    try:
        with warnings.catch_warnings():  # of rows longer than the first, which would be cut
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                path, dtype=text, keep_default_na=False, na_values=[], index_col=False
            )
    except (ValueError, pd.errors.ParserWarning) as error:  # pandas' parser errors are ValueErrors
        raise DatasetError(f"{str(path)!r} is no table of scores: {error}") from error


def _read_json(path: Path) -> pd.DataFrame:
    try:
        rows = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{str(path)!r} is no JSON document; predict again") from error
    if not all(isinstance(row, dict) for row in rows):
        raise DatasetError(f"{str(path)!r} is no list of JSON objects; {_WANTED}")
    return pd.DataFrame(rows, dtype=object)


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        stored = pq.ParquetFile(path)
        names = stored.schema_arrow.names
        known = {"image_id", "prob"} <= set(names)  # what a manifest has need not be read
        return stored.read().to_pandas() if known else pd.DataFrame(columns=names)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"{str(path)!r} is no parquet file; predict again") from error


_READERS: Final[dict[str, Callable[[Path], pd.DataFrame]]] = {
    "csv": _read_csv,
    "json": _read_json,
    "parquet": _read_parquet,
}


def _text(column: "pd.Series[Any]", _path: Path) -> "pd.Series[Any]":
    return column.astype(object).where(column.notna(), "").astype("str")


def _floats(column: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    """Each number as it was written to the last digit, NaN where a cell says nothing."""
    cells = column.astype(object).where(column.notna() & ~column.isin(_BLANKS), np.nan)
    try:
        return cells.astype("float64")
    except (ValueError, TypeError, OverflowError):
        raise _broken(cells, path, "numbers", _is_number) from None


def _integers(column: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    numbers = _floats(column, path)
    sound = numbers.isna() | (numbers.abs() < _EXACT) & (numbers % 1 == 0)
    if not sound.all():
        raise _broken(sound, path, "whole numbers", bool)
    return numbers.astype("Int64")


_TYPES: Final[dict[str, Callable[["pd.Series[Any]", Path], "pd.Series[Any]"]]] = {
    **dict.fromkeys(_TEXTS, _text),
    **dict.fromkeys(_FLOATS, _floats),
    **dict.fromkeys(_INTEGERS, _integers),
}


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _broken(
    column: "pd.Series[Any]", path: Path, wanted: str, is_sound: Callable[[Any], bool]
) -> DatasetError:
    """The error for a column that breaks a rule, which names rows, the first below the head as 2.

    These are the lines of a CSV file, and of our JSON.
    """
    wrong = [row for row, value in enumerate(column, start=2) if not is_sound(value)]
    return DatasetError(
        f"{str(path)!r} is no table of scores: column {column.name!r} must hold {wanted} or "
        f"nothing, unlike {name_lines(wrong)}"
    )


def _require_ids(table: pd.DataFrame, path: Path) -> None:
    repeated = int(table["image_id"].duplicated().sum())
    if repeated:
        raise DatasetError(
            f"{str(path)!r} has {repeated:,} rows of an image that has a row already; keep one "
            "score per image"
        )
    nameless = int((table["patient_id"] == "").sum()) if "patient_id" in table.columns else 0
    if nameless:
        raise DatasetError(f"{str(path)!r} has {nameless:,} rows with an empty patient_id; fill in")
