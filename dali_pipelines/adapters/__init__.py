"""Tables of data sets -> columns of the manifest; each data set's layout is one file."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from dali_pipelines.adapters.formats import open_table
from dali_pipelines.adapters.join import JoinReport, join, unique_rows
from dali_pipelines.adapters.label_rules import OWN_COLUMN, RULES, pick_rule
from dali_pipelines.adapters.labels import Labels
from dali_pipelines.adapters.layouts import LAYOUTS
from dali_pipelines.adapters.recognize import AUTO, recognize
from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest

__all__ = [
    "ADAPTERS",
    "JoinReport",
    "Labels",
    "describe_adapters",
    "join",
    "join_labels",
    "label_tables",
    "read_labels",
]

ADAPTERS: Final = (AUTO, *LAYOUTS)


def label_tables(paths: Sequence[Path], adapter: str) -> tuple[Path, ...]:
    """The files that `read_labels` would read; errors as there."""
    return recognize(paths, adapter).tables if paths else ()


def read_labels(
    paths: Sequence[Path],
    adapter: str,
    label_column: str | None = None,
    label_rule: str | None = None,
) -> Labels:
    """The labels of the tables at `paths`, files or folders, checked as far as needs no image.

    Raises ConfigError for an unknown adapter, rule or file, DatasetError for tables that cannot be
    used: a column is missing, a label is neither 0 nor 1, rows contradict each other, or for AUTO
    they are not of one data set. DeviceError for a spreadsheet without openpyxl.
    """
    if adapter not in ADAPTERS:
        raise ConfigError(f"no adapter {adapter!r}.{closest(adapter, ADAPTERS)}")
    found = recognize(paths, adapter)
    layout = LAYOUTS[found.adapter]
    rule = pick_rule(found.adapter, label_rule)
    tables = [open_table(path, layout.keep) for path in found.tables]
    if label_column is None:
        labels, meaning = layout.read(tables, rule), RULES[found.adapter][rule]
    elif layout.read_column is None:
        raise ConfigError(
            f"the adapter {found.adapter!r} has label rules of its own; leave out --label-column"
        )
    elif label_rule is not None:
        raise ConfigError("--label-column and --label-rule exclude each other; leave one out")
    else:
        labels = layout.read_column(tables, label_column)
        rule, meaning = OWN_COLUMN, f"0 or 1 as column {label_column} has it"
    name = rule if label_column is None else f"{rule} {label_column.lower()}"
    labels = replace(
        labels,
        adapter=found.adapter,
        rule=f"{rule}: {meaning}",
        rule_name=f"{found.adapter}/{name}",
        why=found.why,
        dataset="" if layout.generic else found.adapter,
    )
    unique_rows(labels)
    return labels


def join_labels(
    frame: pd.DataFrame,
    paths: Sequence[Path],
    adapter: str,
    label_column: str | None = None,
    label_rule: str | None = None,
) -> tuple[pd.DataFrame, JoinReport]:
    """The manifest with the labels of tables: `read_labels` and `join` in one call."""
    return join(frame, read_labels(paths, adapter, label_column, label_rule))


def describe_adapters() -> str:
    """All adapters, the columns that their tables are told by, and their label rules."""
    lines = []
    for name, layout in LAYOUTS.items():
        lines.append(f"{name}: {layout.title}")
        lines += [f"    columns {', '.join(columns)}" for columns in layout.tables]
        lines += [f"    label rule {rule}: {text}" for rule, text in RULES[name].items()]
    return "\n".join(lines)
