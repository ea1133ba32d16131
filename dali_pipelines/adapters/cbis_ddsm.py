"""CBIS-DDSM: {mass,calc}_case_description_{train,test}_set.csv, one row an abnormality.

Headers and folders name a series, not a patient: `Mass-Training_P_00001_LEFT_CC`, of which
`P_00001` is the patient, in whichever table; a number at the end (`_1`) marks a cropped abnormality
or its mask, which get no label. One film may be in the mass and in the calc set, so all tables are
read together.
"""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from dali_pipelines.adapters.labels import (
    ImageKey,
    Labels,
    by_key,
    file_names,
    merge,
    read_densities,
    read_views,
    worst,
)
from dali_pipelines.adapters.table import Rows, Table

_CASE: Final = (
    r"(?:Mass|Calc)-(?P<split>Training|Test)_(?P<patient>P_\d{5})_(?P<side>LEFT|RIGHT)_"
    r"(?P<view>CC|MLO)(?P<crop>_\d+)?(?:/|$)"
)
_MALIGNANT: Final = {"MALIGNANT": 1, "BENIGN": 0, "BENIGN_WITHOUT_CALLBACK": 0}
_GRADES: Final = {str(grade): grade for grade in range(6)}
_SPLITS: Final = {"Training": "train", "Test": "test"}
_SIDES: Final = {"LEFT": "L", "RIGHT": "R"}


def read_labels(tables: Sequence[Table], _rule: str) -> Labels:
    """1 for each image with a malignant abnormality in any of the tables."""
    found = by_key(
        [key for table in tables for key in _keys(table)],
        [finding for table in tables for finding in _findings(table)],
    )
    columns: dict[str, list[Any]] = {"cancer": [], "birads": [], "density": []}
    rows: list[Rows] = []
    for findings in found.values():
        behind, labels, grades, densities = zip(*findings, strict=True)
        rows.append(merge(behind))
        columns["cancer"].append(worst(labels))
        columns["birads"].append(max((g for g in grades if g is not None), default=None))
        columns["density"].append(densities[0] if len(set(densities)) == 1 else "")
    return Labels(
        list(found),
        rows,
        columns,
        (_patient_side_view,),
        one_image=False,
        named={
            "patient_id": _part("patient"),
            "laterality": lambda frame: _part("side")(frame).map(_SIDES).fillna(""),
            "view": _part("view"),
            "split_group": lambda frame: _part("split")(frame).map(_SPLITS).fillna(""),
        },
    )


def _keys(table: Table) -> list[str]:
    """Patient, side and view of each abnormality, which are those of one image."""
    sides, views = table.sides("left or right breast"), read_views(table, "image view")
    nameless = [i for i, view in enumerate(views) if not (view and sides[i])]
    table.require_none(nameless, "side and view must be LEFT or RIGHT, and CC or MLO")
    patients = table.names("patient_id")
    return [" ".join(parts) for parts in zip(patients, sides, views, strict=True)]


def _findings(table: Table) -> list[tuple[Rows, int | None, int | None, str]]:
    density = table.first_of(["breast_density", "breast density"])  # the mass and the calc tables
    columns = (
        table.rows,
        table.codes("pathology", _MALIGNANT),
        table.codes("assessment", _GRADES),
        read_densities(table, density),
    )
    return list(zip(*columns, strict=True))


def _cases(frame: pd.DataFrame) -> pd.DataFrame:
    """The parts of the series' name, by the header or else by a folder; "" where neither is one."""
    header = frame["patient_id"].str.extract("^" + _CASE)
    folder = file_names(frame).str.extract("(?:^|/)" + _CASE)
    return header.combine_first(folder.where(header["patient"].isna())).fillna("")


def _part(name: str) -> ImageKey:
    return lambda frame: _cases(frame)[name]


def _patient_side_view(frame: pd.DataFrame) -> "pd.Series[str]":
    """As `_keys`; "" for crops and masks."""
    cases = _cases(frame)
    keys = cases["patient"] + " " + cases["side"].map(_SIDES).fillna("") + " " + cases["view"]
    return keys.where(cases["crop"] == "", "")
