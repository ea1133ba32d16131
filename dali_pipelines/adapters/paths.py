"""Images that a table names by their paths: as they are, or by their files' names alone."""

import os

import pandas as pd

from dali_pipelines.adapters.labels import ImageKey, file_names, file_stem
from dali_pipelines.adapters.table import Table
from dali_pipelines.columns import escape, unescape


def path_keys(table: Table, name: str) -> list[str]:
    """A column of paths from the folder of the table, with all links resolved.

    DatasetError where a cell holds none.
    """
    cells = table.names(name)
    no_path = [i for i, cell in enumerate(cells) if "\0" in cell]
    table.require_none(no_path, f"column {name!r} must hold paths")
    return [escape(os.path.realpath(table.path.parent / cell)) for cell in cells]


def moved_path_keys(table: Table, name: str) -> tuple[list[str], ImageKey]:
    """Keys of a column of paths that may be another machine's, and how images are found by them.

    By the names of the files where no two files share one, for then it does not matter where they
    lie; else by the whole paths.
    """
    stems = table.stems(name)
    if len(set(stems)) == len(set(table.column(name))):
        return stems, file_stem
    return path_keys(table, name), real_names


def real_names(frame: pd.DataFrame) -> "pd.Series[str]":
    """The file of each image with all links resolved, its zip member below it."""
    real = {path: escape(os.path.realpath(unescape(path))) for path in frame["path"].unique()}
    return file_names(frame.assign(path=frame["path"].map(real)))
