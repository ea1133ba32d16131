"""CMMD: CMMD_clinicaldata_revision.xlsx, or that saved as CSV; one row a breast with a finding.

Layout: `CMMD/<ID1>/<study>/<series>/1-1.dcm`; the headers name patient (ID1) and side. A breast
without a row has no result, also where the other one has.
"""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from dali_pipelines.adapters.labels import Labels, by_key, file_names, merge, worst
from dali_pipelines.adapters.table import Table, only

_MALIGNANT: Final = {"MALIGNANT": 1, "BENIGN": 0}
_PATIENT: Final = r"(?:^|/)(D[12]-\d{4})(?:/|$)"


def read_labels(tables: Sequence[Table], _rule: str) -> Labels:
    """1 for each breast of which a row says Malignant."""
    table = only(tables)
    patients, sides = table.names("ID1"), table.sides("LeftRight")
    blank = [i for i, side in enumerate(sides) if side not in ("L", "R")]
    table.require_none(blank, "column 'LeftRight' must hold L or R")
    keys = [f"{patient} {side}" for patient, side in zip(patients, sides, strict=True)]
    labels = by_key(keys, table.codes("classification", _MALIGNANT))
    ages = by_key(keys, table.ages("Age"))
    columns: dict[str, list[Any]] = {
        "cancer": [worst(labels[key]) for key in labels],
        "patient_id": [key.rsplit(" ", 1)[0] for key in labels],
        "age": [ages[key][0] for key in labels],
    }
    rows = [merge(behind) for behind in by_key(keys, table.rows).values()]
    ways = (_header_and_side, _folder_and_side)
    return Labels(list(labels), rows, columns, ways, one_image=False, named={"patient_id": _folder})


def _header_and_side(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["patient_id"] + " " + frame["laterality"]


def _folder_and_side(frame: pd.DataFrame) -> "pd.Series[str]":
    return _folder(frame) + " " + frame["laterality"]


def _folder(frame: pd.DataFrame) -> "pd.Series[str]":
    """The patient by the folder, "" where none is named so."""
    return file_names(frame).str.extract(_PATIENT)[0].fillna("")
