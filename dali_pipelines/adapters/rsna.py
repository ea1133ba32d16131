"""RSNA Screening Mammography 2023: train.csv, one row an image, named by its file.

Also test.csv, which has no labels but says patient, side and view, where the headers are stripped
of them, and both together. Layout: `train_images/<patient_id>/<image_id>.dcm`.
"""

from collections.abc import Sequence
from typing import Final

from dali_pipelines.adapters.labels import Labels, file_stem, read_optional, stack
from dali_pipelines.adapters.table import Table, only

_RECALL: Final = {0: 1, 1: 0, 2: 0}  # by BI-RADS


def read_labels(tables: Sequence[Table], rule: str) -> Labels:
    """The labels by a rule; none for the rows of test.csv."""
    return stack([_by_rule(table, rule) for table in tables])


def _by_rule(table: Table, rule: str) -> Labels:
    if "cancer" not in table and "prediction_id" in table:
        return _labels(table, [None] * len(table.lines))
    if rule == "recall":
        grades = table.codes("BIRADS", {str(grade): grade for grade in _RECALL})
        return _labels(table, [None if grade is None else _RECALL[grade] for grade in grades])
    return _labels(table, table.labels("cancer"))


def read_column(tables: Sequence[Table], label_column: str) -> Labels:
    """The labels in that column of train.csv."""
    return _labels(only(tables), only(tables).labels(label_column))


def _labels(table: Table, labels: list[int | None]) -> Labels:
    columns = {**read_optional(table), "cancer": labels}
    columns.pop("dataset", None)
    return Labels(table.names("image_id"), table.rows, columns, (file_stem,))
