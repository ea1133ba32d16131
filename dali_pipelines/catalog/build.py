"""Sources -> the files of a scan: manifest, its rejects and, where there is none, the id key.

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
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts
from dali_pipelines.rejects.table import rejects_beside, write_rejects
from dali_pipelines.verdicts import Reject


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
        """The path of the table of rejects, which is this manifest's own."""
        return rejects_beside(self.manifest)

    @property
    def key_path(self) -> Path:
        """The path of the id key."""
        return self.key or self.manifest.with_suffix(".key")

    @property
    def own(self) -> list[Path]:
        """What the scan reads or writes itself, and so is no input of it."""
        labels = [self.labels] if self.labels else []
        return [self.manifest, self.rejects, self.key_path, *labels]

    def read_labels(self) -> Labels | None:
        """The labels to join, None where none were named; errors as of the adapter."""
        if self.labels is None:
            return None
        return read_labels(self.labels, self.adapter, self.label_column)


@dataclass(frozen=True, slots=True)
class CatalogPlan:
    """All that a scan needs, checked; `inputs` have been listed and not opened."""

    settings: CatalogSettings
    inputs: tuple[Input, ...]
    labels: Labels | None
    id_key: bytes


@dataclass(frozen=True, slots=True)
class Catalog:
    """What was written, and what it holds; `counts` are of all inputs behind it."""

    settings: CatalogSettings
    frame: pd.DataFrame
    inventory: Inventory
    joined: JoinReport | None
    counts: VerdictCounts

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
    labels = settings.read_labels()
    found = walk(sources, settings.own)
    _make_folder(settings.manifest)
    key = load_key(settings.key_path)
    return CatalogPlan(settings, tuple(found), labels, key)


def write_catalog(plan: CatalogPlan, progress: Progress = lambda _done, _counts: None) -> Catalog:
    """Scan the inputs and write the files; the same inputs give the same bytes.

    Raises DatasetError where no input is an image, or the labels do not fit; the rejects have been
    written then, and in the second case the manifest too, without labels.
    """
    result = scan(plan.inputs, plan.settings.scan, plan.id_key, progress)
    frame = to_frame(result.records)
    return publish(plan.settings, frame, plan.labels, result.rejects, len(plan.inputs))


def publish(
    settings: CatalogSettings,
    frame: pd.DataFrame,
    labels: Labels | None,
    rejects: Sequence[Reject],
    inputs: int,
) -> Catalog:
    """Write the manifest, with the labels joined, and its rejects; errors as of `write_catalog`.

    The manifest comes first: a run killed between the two leaves no image that is in neither.
    """
    if frame.empty:
        write_rejects(rejects, settings.rejects)
        counts = _count(inputs, frame, rejects)
        raise DatasetError(f"no image among {counts.line(settings.rejects)}")
    joined, misfit = None, None
    if labels is not None:
        try:  # where they do not fit, the hours of the scan are not lost
            frame, joined = join(frame, labels)
        except DatasetError as error:
            misfit = error
    write_manifest(frame, settings.manifest)
    write_rejects(rejects, settings.rejects)
    if misfit is not None:
        kept = f"the manifest without labels was kept in {str(settings.manifest)!r}"
        raise DatasetError(f"{misfit}; {kept}") from misfit
    counts = _count(inputs, frame, rejects)
    return Catalog(settings, frame, take_inventory(frame, counts), joined, counts)


def _count(inputs: int, frame: pd.DataFrame, rejects: Sequence[Reject]) -> VerdictCounts:
    """The verdicts on so many files and zip members, of which one may give several images."""
    odd = frame["flags"].map(len) > 0
    flagged = odd.groupby([frame["path"], frame["member"]]).any()
    return count_verdicts(inputs, flagged, rejects)


def _make_folder(manifest: Path) -> None:
    folder = manifest.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"no folder {str(folder)!r} can be made: {error.strerror}") from error
    if manifest.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigError(f"{str(manifest)!r} cannot be written; name a file in a folder of yours")
