"""Tables of data sets joined to images that exist as rows of a manifest only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.adapters import JoinReport, Labels, join, read_labels
from dali_pipelines.manifest_rows import to_frame


@dataclass(frozen=True)
class Joined:
    """What a join gave."""

    frame: pd.DataFrame
    report: JoinReport
    labels: Labels

    def column(self, name: str) -> list[object]:
        """Its values, None where there is none."""
        return [None if pd.isna(value) else value for value in self.frame[name]]


Label = Callable[..., Joined]


@pytest.fixture
def label(record_of: Callable[..., object], tmp_path: Path) -> Label:
    """label({"t.csv": text}, adapter, *images as fields of records, rule=, column=) -> Joined."""

    def call(
        tables: Mapping[str, str],
        adapter: str,
        *images: Mapping[str, object],
        rule: str | None = None,
        column: str | None = None,
    ) -> Joined:
        for name, text in tables.items():
            (tmp_path / name).write_text(text)
        paths = [tmp_path / name for name in tables]
        labels = read_labels(paths, adapter, column, rule)
        frame = to_frame([record_of(**image) for image in images])
        joined, report = join(frame, labels)
        return Joined(joined, report, labels)

    return call
