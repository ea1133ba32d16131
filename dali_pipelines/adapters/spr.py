"""SPR Screening Mammography Recall 2025: train.csv, one row an exam.

`Laterality` says which breast was recalled: N or nothing none, L, R, or B both; `target` is 0 where
none was, and 1 elsewhere.
Layout: `dicoms/<AccessionNumber of six digits>/<SOPInstanceUID>.dcm`.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import pandas as pd

from dali_pipelines.adapters.labels import Labels, parent_folder
from dali_pipelines.adapters.table import Table, only

T = TypeVar("T")

DIGITS: Final = 6  # of an accession number, whose leading zeros the table has lost
_SIDES: Final = ("L", "R", "B", "")  # of an image; B shows both, "" is not stated
_RECALLED: Final = {"N": "", "L": "L", "R": "R", "B": "LR"}


def read_labels(tables: Sequence[Table], _rule: str) -> Labels:
    """Recall of the breast that an image shows; None where the image's side is unknown.

    Each row of the table gives one key a side.
    """
    table = only(tables)
    exams = [cell.zfill(DIGITS) for cell in table.names("AccessionNumber")]
    recalled = _recalled_sides(table)
    keys = [f"{exam} {side}" for exam in exams for side in _SIDES]
    columns: dict[str, list[Any]] = {
        "cancer": [_label(sides, side) for sides in recalled for side in _SIDES],
        "exam_id": _repeat(exams),
    }
    if "PatientID" in table:
        columns["patient_id"] = _repeat(table.texts("PatientID"))
    ways = (_folder_and_side, _exam_and_side)
    return Labels(keys, _repeat(table.rows), columns, ways, one_image=False)


def _recalled_sides(table: Table) -> list[str]:
    """The recalled sides of each exam, as "", "L", "R" or "LR"; a blank one of target 0 is ""."""
    targets = table.labels("target")
    cells = [cell.upper() for cell in table.texts("Laterality")]
    blank = [i for i, cell in enumerate(cells) if not cell and targets[i] != 0]
    table.require_none(blank, "column 'Laterality' may be blank only where 'target' is 0")
    letters = [cell or "N" for cell in cells]
    unknown = [i for i, letter in enumerate(letters) if letter not in _RECALLED]
    table.require_none(unknown, "column 'Laterality' must hold N, L, R, B or nothing")
    sides = [_RECALLED[letter] for letter in letters]
    clash = [i for i, side in enumerate(sides) if targets[i] != int(side != "")]
    table.require_none(clash, "'target' must be 0 where Laterality is N, and 1 elsewhere")
    return sides


def _label(recalled: str, side: str) -> int | None:
    if side == "B":
        return int(recalled != "")
    if side:
        return int(side in recalled)
    return {"": 0, "LR": 1}.get(recalled)


def _repeat(values: Sequence[T]) -> list[T]:
    return [value for value in values for _ in _SIDES]


def _folder_and_side(frame: pd.DataFrame) -> "pd.Series[str]":
    return parent_folder(frame).str.zfill(DIGITS) + " " + frame["laterality"]


def _exam_and_side(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["exam_id"].str.zfill(DIGITS) + " " + frame["laterality"]
