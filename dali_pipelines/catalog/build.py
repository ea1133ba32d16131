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

from dali_pipelines.adapters import JoinReport, Labels, join, label_tables, read_labels
from dali_pipelines.atomic import alone_with, guard_of, require_replaceable, sync
from dali_pipelines.catalog.inventory import Inventory, take_inventory
from dali_pipelines.catalog.origin import Origin, digest_rejects, set_origin
from dali_pipelines.catalog.scan import Progress, ScanOptions, scan
from dali_pipelines.catalog.walk import Input, walk
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.identity import load_key
from dali_pipelines.kept_folds import inherit_folds
from dali_pipelines.manifest import write_manifest
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts, counted
from dali_pipelines.rejects.table import read_rejects, rejects_beside, write_rejects
from dali_pipelines.verdicts import Reject


@dataclass(frozen=True, slots=True)
class CatalogSettings:
    """What to write where; `key` None means beside `manifest`, with the suffix .key.

    `labels` are tables, or folders of them; the three below say how to read them (`read_labels`).
    """

    manifest: Path
    key: Path | None = None
    labels: tuple[Path, ...] = ()
    adapter: str = "csv"
    label_column: str | None = None
    label_rule: str | None = None
    scan: ScanOptions = field(default_factory=ScanOptions)

    def __post_init__(self) -> None:
        if self.label_column is not None and not self.labels:
            raise ConfigError(f"--label-column {self.label_column!r} needs --labels")
        if self.label_rule is not None and not self.labels:
            raise ConfigError(f"--label-rule {self.label_rule!r} needs --labels")

    @property
    def rejects(self) -> Path:
        """The path of the table of rejects, which is this manifest's own."""
        return rejects_beside(self.manifest)

    @property
    def pending(self) -> Path:
        """Where the table of rejects waits until its manifest is written."""
        return self.rejects.with_name(f".{self.rejects.name}.next")

    @property
    def key_path(self) -> Path:
        """The path of the id key."""
        return self.key or self.manifest.with_suffix(".key")

    @property
    def own(self) -> list[Path]:
        """What the scan reads or writes itself, and so is no input of it."""
        aside = [self.pending, guard_of(self.manifest)]  # which a killed run may have left
        tables = label_tables(self.labels, self.adapter)
        return [self.manifest, self.rejects, self.key_path, *aside, *tables]

    def read_labels(self) -> Labels | None:
        """The labels to join, None where none were named; errors as of the adapter."""
        if not self.labels:
            return None
        return read_labels(self.labels, self.adapter, self.label_column, self.label_rule)


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
    labels: Labels | None
    joined: JoinReport | None
    counts: VerdictCounts

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "manifest": str(self.settings.manifest),
            "rejects": str(self.settings.rejects),
            "inventory": self.inventory.to_dict(),
            "labels": self._labels_to_dict(),
        }

    def _labels_to_dict(self) -> dict[str, Any] | None:
        if self.labels is None or self.joined is None:
            return None
        made = {"adapter": self.labels.adapter, "rule": self.labels.rule}
        return {**made, **self.joined.to_dict()}

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

    Raises ConfigError where another run is writing them. Raises DatasetError where the labels do
    not fit; the files have been written then, without labels. Raises DatasetError where no input is
    an image; the rejects have been written then, unless there is the manifest of an earlier scan.
    """
    with alone_with(plan.settings.manifest):
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

    To be called within `alone_with` the manifest.
    Where the frame has folds, new images of a patient who has one get it (`inherit_folds`).
    """
    if frame.empty:
        raise _no_image(settings, _count(inputs, frame, rejects), rejects)
    joined, misfit = None, None
    if labels is not None:
        try:  # where they do not fit, the hours of the scan are not lost
            frame, joined = join(frame, labels)
        except DatasetError as error:
            misfit = error
    frame = inherit_folds(frame)
    set_origin(frame, Origin(settings.scan.read, digest_rejects(rejects)))
    _write_both(frame, rejects, settings)
    if misfit is not None:
        kept = f"the manifest without labels was kept in {str(settings.manifest)!r}"
        raise DatasetError(f"{misfit}; {kept}") from misfit
    counts = _count(inputs, frame, rejects)
    return Catalog(settings, frame, take_inventory(frame, counts), labels, joined, counts)


def read_own_rejects(settings: CatalogSettings, origin: Origin | None) -> list[Reject]:
    """The rejects of the scan that wrote the manifest; None for `origin` where there is none.

    Also where that was killed before its table had its name. Raises ConfigError where the table
    is missing or is another scan's.
    """
    if origin is not None and settings.pending.exists():
        rows = read_rejects(settings.pending)
        if digest_rejects(rows) == origin.rejects:
            return rows
    rows = read_rejects(settings.rejects)
    if origin is None or digest_rejects(rows) == origin.rejects:
        return rows
    raise ConfigError(
        f"{str(settings.rejects)!r} is not as the scan of {str(settings.manifest)!r} wrote it; "
        "put that back, or scan all again"
    )


def _write_both(frame: pd.DataFrame, rejects: Sequence[Reject], settings: CatalogSettings) -> None:
    """Write manifest and rejects, so that a manifest never stands without its own.

    The rejects are whole on disk, under another name, before the manifest that states their digest
    takes its place. A run killed before that leaves both files as they were, one killed after it
    both new tables, of which `read_own_rejects` takes the right one.
    """
    require_replaceable(settings.rejects)
    try:
        write_rejects(rejects, settings.pending)
        write_manifest(frame, settings.manifest)
    except Exception:
        settings.pending.unlink(missing_ok=True)
        raise
    settings.pending.replace(settings.rejects)
    sync(settings.rejects.parent)


def _no_image(
    settings: CatalogSettings, counts: VerdictCounts, rejects: Sequence[Reject]
) -> DatasetError:
    """What to raise; the rejects are written where they cannot be taken for another scan's."""
    if not settings.manifest.exists():
        write_rejects(rejects, settings.rejects)
        return DatasetError(f"no image among {counts.line(settings.rejects)}")
    among = f"no image among {counted(counts.inputs, 'input')}: {counts.why() or 'none at all'}"
    return DatasetError(
        f"{among}; nothing was written, since {str(settings.manifest)!r} is of an earlier scan; "
        "name another manifest to have the rejects in a table"
    )


def _count(inputs: int, frame: pd.DataFrame, rejects: Sequence[Reject]) -> VerdictCounts:
    """The verdicts on so many files and members, one of which may give several images."""
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
