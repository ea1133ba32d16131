"""Any table with one row an image: the adapter `csv`, also for the labels of `mammo phantom`.

The image is named in a column image_id (its SOP Instance UID, its id in the manifest, or its file
name), sop_instance_uid or path (from the table's folder); the label in cancer or label.
"""

import os
from typing import Final

import pandas as pd

from dali_pipelines.adapters.join import (
    ImageKey,
    Labels,
    file_names,
    file_stem,
    read_optional,
)
from dali_pipelines.adapters.table import Table
from dali_pipelines.columns import escape, unescape


def read_labels(table: Table, label_column: str | None = None) -> Labels:
    """The labels in a column `label_column`, else cancer, else label."""
    named_by = table.first_of(list(_IMAGE_KEYS))
    label = label_column or table.first_of(["cancer", "label"])
    keys = table.names(named_by)
    if named_by == "path":
        no_path = [i for i, key in enumerate(keys) if "\0" in key]
        table.require_none(no_path, "column 'path' must hold paths")
        keys = [escape(os.path.realpath(table.path.parent / key)) for key in keys]
    columns = {"cancer": table.labels(label), **read_optional(table)}
    return Labels(table.path.name, keys, table.lines, columns, _IMAGE_KEYS[named_by])


def _sop_instance_uid(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["sop_instance_uid"]


def _image_id(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["image_id"]


def _real_names(frame: pd.DataFrame) -> "pd.Series[str]":
    """The file of each image with all links resolved, its zip member below it."""
    real = {path: escape(os.path.realpath(unescape(path))) for path in frame["path"].unique()}
    return file_names(frame.assign(path=frame["path"].map(real)))


_IMAGE_KEYS: Final[dict[str, tuple[ImageKey, ...]]] = {
    "image_id": (_sop_instance_uid, _image_id, file_stem),
    "sop_instance_uid": (_sop_instance_uid,),
    "path": (_real_names,),
}
