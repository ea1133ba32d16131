"""INbreast: INbreast.csv, separated by semicolons, one row an image with its BI-RADS.

Layout: `AllDICOMs/<File Name>_<patient, 16 hex digits>_MG_<L|R>_<CC|ML>_ANON.dcm`, where ML stands
for MLO. Patients are in the file names alone: table and headers say `removed`.
"""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from dali_pipelines.adapters.labels import (
    ImageKey,
    Labels,
    file_stem,
    read_densities,
    read_views,
)
from dali_pipelines.adapters.table import Table, only

_NAME: Final = r"^(?P<image>\d+)_(?P<patient>[0-9a-fA-F]{16})_MG_(?P<side>[LR])_(?P<view>CC|MLO?)_"
_GRADES: Final = {
    **{str(grade): grade for grade in range(7)},
    **dict.fromkeys(("4A", "4B", "4C"), 4),
}
_POSITIVE_FROM: Final = {"cancer": 4, "recall": 3}  # by rule
_VIEWS: Final = {"CC": "CC", "ML": "MLO", "MLO": "MLO"}


def read_labels(tables: Sequence[Table], rule: str) -> Labels:
    """The labels by a rule."""
    table = only(tables).where("File Name")  # a table saved from INbreast.xls ends with a footer
    grades = table.codes("Bi-Rads", _GRADES)
    return Labels(
        table.stems("File Name"),
        table.rows,
        {
            "cancer": [int(grade >= _POSITIVE_FROM[rule]) if grade else None for grade in grades],
            "birads": grades,
            "density": read_densities(table, "ACR"),
            "laterality": table.sides("Laterality"),
            "view": read_views(table, "View"),
        },
        (_part("image"), file_stem),
        named={"patient_id": _part("patient"), "laterality": _part("side"), "view": _view},
    )


def _part(name: str) -> ImageKey:
    """A part of each image's file name, "" where that is no name of INbreast."""
    return lambda frame: file_stem(frame).str.extract(_NAME)[name].fillna("")


def _view(frame: pd.DataFrame) -> "pd.Series[str]":
    return _part("view")(frame).map(_VIEWS).fillna("")
