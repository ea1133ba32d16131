"""Label tables of data sets -> columns of the manifest; each data set's layout is one file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from dali_pipelines.adapters import csv_labels, rsna, spr
from dali_pipelines.adapters.join import Adapter, JoinReport, Labels, join, unique_rows
from dali_pipelines.adapters.table import read_table
from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest

__all__ = ["ADAPTERS", "JoinReport", "Labels", "join", "join_labels", "read_labels"]

ADAPTERS: Final[Mapping[str, Adapter]] = {
    "csv": csv_labels.read_labels,
    "rsna": rsna.read_labels,
    "spr": spr.read_labels,
}


def read_labels(path: Path, adapter: str, label_column: str | None = None) -> Labels:
    """The labels of a table, checked as far as that needs no image.

    Raises ConfigError for an unknown adapter or file, DatasetError for a table that cannot be
    used: a column is missing, a label is neither 0 nor 1, rows contradict each other.
    """
    if adapter not in ADAPTERS:
        raise ConfigError(f"no adapter {adapter!r}.{closest(adapter, ADAPTERS)}")
    labels = ADAPTERS[adapter](read_table(path), label_column)
    unique_rows(labels)
    return labels


def join_labels(
    frame: pd.DataFrame, path: Path, adapter: str, label_column: str | None = None
) -> tuple[pd.DataFrame, JoinReport]:
    """The manifest with the labels of a table: `read_labels` and `join` in one call."""
    return join(frame, read_labels(path, adapter, label_column))
