"""Sources -> the files of a scan: manifest, rejects.csv and, where there is none, the id key.

The whole of `mammo scan` as two calls: what can be known to be wrong is found by the first, before
any image is opened.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from dali_pipelines.adapters import JoinReport, Labels, join, read_labels
from dali_pipelines.catalog.inventory import Inventory, take_inventory
from dali_pipelines.catalog.scan import Progress, ScanOptions, scan
from dali_pipelines.catalog.walk import Input, walk
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.identity import load_key
from dali_pipelines.manifest import to_frame, write_manifest
from dali_pipelines.verdicts import write_rejects


@dataclass(frozen=True, slots=True)
class CatalogSettings:
    """What to write where; `key` None means beside `manifest`, with the suffix .key."""

    manifest: Path
    key: Path | None = None
    labels: Path | None = None
    adapter: str = "csv"
    label_column: str | None = None
    scan: ScanOptions = field(default_factory=ScanOptions)

    def __post_init__(self) -> None:
        if self.label_column is not None and self.labels is None:
            raise ConfigError(f"--label-column {self.label_column!r} needs --labels")

    @property
    def rejects(self) -> Path:
        """The path of rejects.csv."""
        return self.manifest.with_name("rejects.csv")

    @property
    def key_path(self) -> Path:
        """The path of the id key."""
        return self.key or self.manifest.with_suffix(".key")


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """All that a scan needs, checked; `inputs` have been listed and not opened."""

    settings: CatalogSettings
    inputs: tuple[Input, ...]
    labels: Labels | None
    id_key: bytes


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was written, and what it holds; `rejected` is the number of rows of rejects.csv."""

    settings: CatalogSettings
    frame: pd.DataFrame
    inventory: Inventory
    joined: JoinReport | None
    inputs: int
    rejected: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "manifest": str(self.settings.manifest),
            "rejects": str(self.settings.rejects),
            "inventory": self.inventory.to_dict(),
            "labels": self.joined.to_dict() if self.joined else None,
        }

    def text(self) -> str:
        """The inventory, and how the labels fit, for a terminal."""
        parts = [self.inventory.text(), *([self.joined.text()] if self.joined else [])]
        return "\n".join(parts)


def plan_catalog(sources: Sequence[Path], settings: CatalogSettings) -> CatalogPlan:
    """The inputs of a scan, once labels, key and place of the manifest are known to be fit.

    Raises ConfigError and DatasetError as `walk`, `read_labels` and `load_key` do, and ConfigError
    where nothing can be written.
    """
    labels = None
    if settings.labels is not None:
        labels = read_labels(settings.labels, settings.adapter, settings.label_column)
    own = [settings.manifest, settings.rejects, settings.key_path]
    found = walk(sources, [*own, *([settings.labels] if settings.labels else [])])
    _make_folder(settings.manifest)
    key = load_key(settings.key_path)
    return CatalogPlan(settings, tuple(found), labels, key)


def write_catalog(plan: CatalogPlan, progress: Progress = lambda _done, _counts: None) -> Catalog:
    """Scan the inputs and write the files; the same inputs give the same bytes.

    Raises DatasetError where no input is an image, or the labels do not fit; rejects.csv has been
    written then, and in the second case the manifest too, without labels.
    """
    settings = plan.settings
    result = scan(plan.inputs, settings.scan, plan.id_key, progress)
    rejected = write_rejects(result.rejects, settings.rejects)
    if not result.records:
        raise DatasetError(
            f"no image among {len(plan.inputs):,} inputs; {str(settings.rejects)!r} says why"
        )
    frame, joined = to_frame(result.records), None
    if plan.labels is not None:
        frame, joined = _join_or_keep(frame, plan.labels, settings.manifest)
    write_manifest(frame, settings.manifest)
    inventory = take_inventory(frame, result.rejects)
    return Catalog(settings, frame, inventory, joined, len(plan.inputs), rejected)


def _join_or_keep(
    frame: pd.DataFrame, labels: Labels, manifest: Path
) -> tuple[pd.DataFrame, JoinReport]:
    """The frame with labels; where they do not fit, the hours of the scan are not lost."""
    try:
        return join(frame, labels)
    except DatasetError as error:
        write_manifest(frame, manifest)
        raise DatasetError(
            f"{error}; the manifest without labels was kept in {str(manifest)!r}"
        ) from error


def _make_folder(manifest: Path) -> None:
    folder = manifest.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"no folder {str(folder)!r} can be made: {error.strerror}") from error
    if manifest.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"{str(manifest)!r} cannot be written; name a file in a folder of yours")
