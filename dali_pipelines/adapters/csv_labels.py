"""Any table with one row an image: the adapter `csv`, also for the labels of `mammo phantom`.

The image is named in a column image_id (its SOP Instance UID, its id in the manifest, or its file
name), sop_instance_uid or path (from the table's folder); the label in cancer or label.
"""

from collections.abc import Sequence
from typing import Final

import pandas as pd

from dali_pipelines.adapters.labels import ImageKey, Labels, file_stem, read_optional
from dali_pipelines.adapters.paths import path_keys, real_names
from dali_pipelines.adapters.table import Table, only

LABELS: Final = ("cancer", "label")


def read_labels(tables: Sequence[Table], _rule: str) -> Labels:
    """The labels in a column cancer, else label."""
    return read_column(tables, only(tables).first_of(LABELS))


def read_column(tables: Sequence[Table], label_column: str) -> Labels:
    """The labels in that column."""
    table = only(tables)
    named_by = table.first_of(list(IMAGE_KEYS))
    keys = path_keys(table, named_by) if named_by == "path" else table.names(named_by)
    columns = {"cancer": table.labels(label_column), **read_optional(table)}
    return Labels(keys, table.rows, columns, IMAGE_KEYS[named_by])


def _sop_instance_uid(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["sop_instance_uid"]


def _image_id(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["image_id"]


IMAGE_KEYS: Final[dict[str, tuple[ImageKey, ...]]] = {
    "image_id": (_sop_instance_uid, _image_id, file_stem),
    "sop_instance_uid": (_sop_instance_uid,),
    "path": (real_names,),
}
