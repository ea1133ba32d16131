"""The CSV of Mirai (yala/Mirai): one row an image, with the years from its exam to a cancer.

A risk label is of the exam: each of its images, of either breast, has it. Paths may be those of
another machine or of converted pictures; images are found by the names of the files.
"""

from collections.abc import Sequence
from typing import Any, Final

from dali_pipelines.adapters.labels import Labels, read_split_groups, read_views
from dali_pipelines.adapters.paths import moved_path_keys
from dali_pipelines.adapters.table import Table, only

NEVER: Final = 100  # years to cancer where none was found


def read_labels(tables: Sequence[Table], rule: str) -> Labels:
    """The labels by a rule "<n>-year": cancer within n years of the exam."""
    table, within = only(tables), int(rule.removesuffix("-year"))
    years = table.whole_numbers("years_to_cancer", NEVER)
    followed = table.whole_numbers("years_to_last_followup", NEVER)
    keys, way = moved_path_keys(table, "file_path")
    columns: dict[str, list[Any]] = {
        "cancer": [_label(*pair, within) for pair in zip(years, followed, strict=True)],
        "years_to_cancer": [None if year == NEVER else year for year in years],
        "years_to_last_followup": followed,
        "patient_id": table.texts("patient_id"),
        "exam_id": table.texts("exam_id"),
        "laterality": table.sides("laterality"),
        "view": read_views(table, "view"),
        "split_group": read_split_groups(table, "split_group"),
    }
    return Labels(keys, table.rows, columns, (way,))


def _label(years: int | None, followed: int | None, within: int) -> int | None:
    """1 for a cancer in time; 0 for a later one, or for none in follow-up as long; else None."""
    if years is None:  # blank says nothing; that there was none is NEVER
        return None
    if years != NEVER:
        return int(years < within)
    return 0 if followed is not None and followed >= within else None
