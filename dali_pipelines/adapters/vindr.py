"""VinDr-Mammo: breast-level_annotations.csv, one row an image, with the BI-RADS of its breast.

finding_annotations.csv, one row a finding, repeats that on each of its rows and does as well.
Layout: `images/<study_id>/<image_id>.dicom`. The tables name no patient; a study is taken for one.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from dali_pipelines.adapters.labels import Labels, file_stem, read_split_groups, read_views, stack
from dali_pipelines.adapters.table import Table

_GRADES: Final = {f"BI-RADS {grade}": grade for grade in range(6)}
_POSITIVE_FROM: Final = {"cancer": 5, "suspicious": 4, "recall": 3}  # by rule
_DENSITY: Final = re.compile("DENSITY ([A-D])")


def read_labels(tables: Sequence[Table], rule: str) -> Labels:
    """The labels by a rule."""
    return stack([_by_rule(table, rule) for table in tables])


def _by_rule(table: Table, rule: str) -> Labels:
    keys = table.names("image_id")
    return Labels(keys, table.rows, _columns(table, rule), (file_stem,))


def _columns(table: Table, rule: str) -> dict[str, list[Any]]:
    grades = table.codes("breast_birads", _GRADES)
    densities = [_DENSITY.fullmatch(cell.upper()) for cell in table.texts("breast_density")]
    return {
        "cancer": [_label(grade, rule) for grade in grades],
        "birads": grades,
        "density": [match[1] if match else "" for match in densities],
        "patient_id": table.names("study_id"),
        "exam_id": table.names("study_id"),
        "laterality": table.sides("laterality"),
        "view": read_views(table, "view_position"),
        "split_group": read_split_groups(table, "split"),
    }


def _label(grade: int | None, rule: str) -> int | None:
    """1 from the rule's BI-RADS on, else 0; None for no assessment, or 0, which is none yet."""
    if not grade:
        return None
    return int(grade >= _POSITIVE_FROM[rule])
