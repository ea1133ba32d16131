"""A scan of what failed before: a manifest and its rejects -> both, completed.

Where nothing else changed, the files are those that a scan of everything would write, at the cost
of the inputs that failed. Columns that later commands added, such as `fold`, stay.
"""

import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dali_pipelines.adapters import Labels
from dali_pipelines.atomic import alone_with
from dali_pipelines.catalog.build import Catalog, CatalogSettings, publish, read_own_rejects
from dali_pipelines.catalog.failed_inputs import (
    FailedInputs,
    Place,
    find_failed_inputs,
    places_of,
)
from dali_pipelines.catalog.origin import get_origin, require_same_options
from dali_pipelines.catalog.scan import Progress, ScanResult, scan
from dali_pipelines.catalog.walk import Input
from dali_pipelines.dicom.frames import name_of
from dali_pipelines.errors import ConfigError
from dali_pipelines.identity import image_id, load_key
from dali_pipelines.kept_folds import FOLD
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_frame, to_records
from dali_pipelines.manifest_schema import SCHEMA
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.counts import VerdictCounts, counted
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, Reject

_State = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What is to be done; `before` is the whole manifest, `states` tell its files from others."""

    settings: CatalogSettings
    found: FailedInputs
    before: pd.DataFrame
    labels: Labels | None
    id_key: bytes
    states: tuple[_State, ...]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is opened."""
        return self.found.inputs


@dataclass(frozen=True, slots=True)
class Retried:
    """The files as they are now, how many failed inputs were tried again, and what that gave.

    `unlabeled` and `without_fold` images of the manifest lack a label or a fold, None where no
    image has any. `read_again` images of an archive that changed lost what labels had filled in,
    since no labels were given. `gone` known images were members of an archive that has them no
    more, and are failures now.
    """

    catalog: Catalog
    tried: int
    new_images: int
    unlabeled: int | None
    without_fold: int | None
    read_again: int
    gone: int

    @property
    def counts(self) -> VerdictCounts:
        """Those of the catalog: all inputs, not only what was tried again."""
        return self.catalog.counts

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = ("tried", "new_images", "unlabeled", "without_fold", "read_again", "gone")
        return {**self.catalog.to_dict(), "retried": {name: getattr(self, name) for name in names}}

    def text(self) -> str:
        """What became of them, what new images still lack, and the catalog, for a terminal."""
        gave = counted(self.new_images, "new image")
        lines = [f"{counted(self.tried, 'failed input')} tried again, {gave}"]
        lines += [_lacking("label", self.unlabeled, "--labels gives labels")]
        places = f"`mammo split {shlex.quote(str(self.catalog.settings.manifest))} --keep`"
        lines += [_lacking("fold", self.without_fold, f"{places} moves no other image")]
        if self.read_again:
            found = counted(self.read_again, "known image")
            lines.append(f"{found} read again from a changed archive; give --labels to fill gaps")
        if self.gone:
            lost = counted(self.gone, "known image")
            lines.append(f"{lost} gone since the scan, with label and fold: failed as E_IO now")
        return "\n".join([*lines, self.catalog.text()])


def plan_retry(
    sources: Sequence[Path], settings: CatalogSettings, given: Collection[str] = ()
) -> RetryPlan:
    """The inputs that failed before, at or below `sources` where any are given.

    Read as the first scan read them; `given` names fields of `settings.scan.read` that must agree
    with that. An archive that changed since is read again as a whole. Raises ConfigError where one
    does not, where there is no table of rejects or no id key, or that of another scan, and where a
    source has nothing to do with the scan; DatasetError as `read_manifest` and `read_labels` do.
    """
    if not (settings.manifest.exists() or settings.rejects.exists()):
        raise ConfigError(
            f"no earlier scan at {str(settings.manifest)!r}; run without --retry-failed"
        )
    found_at = _states(settings)
    before = read_manifest(settings.manifest) if settings.manifest.exists() else to_frame([])
    origin = get_origin(before, settings.manifest) if len(before) else None
    rows = read_own_rejects(settings, origin)
    if origin is not None:
        require_same_options(origin, settings.scan.read, given, settings.manifest)
        settings = replace(settings, scan=replace(settings.scan, read=origin.read))
    labels, key = settings.read_labels(), _first_key(settings, before)
    found = find_failed_inputs(sources, before, rows, settings.own)
    return RetryPlan(settings, found, before, labels, key, found_at)


def write_retry(plan: RetryPlan, progress: Progress = lambda _done, _counts: None) -> Retried:
    """Scan the inputs of the plan and write the files; errors as of `write_catalog`.

    Raises ConfigError where another run wrote them after the plan was made.
    """
    with alone_with(plan.settings.manifest):
        if _states(plan.settings) != plan.states:
            raise ConfigError(
                f"another run wrote {str(plan.settings.manifest)!r} meanwhile; run this one again"
            )
        return _retry(plan, progress)


def _retry(plan: RetryPlan, progress: Progress) -> Retried:
    known = to_records(plan.found.kept)
    result = scan(plan.inputs, plan.settings.scan, plan.id_key, progress, known=known)
    inputs, rejects = plan.inputs, plan.found.rejects
    if doubtful := _doubtful(result, known, rejects):
        inputs = (*inputs, *(Source(row.path, row.member) for row in doubtful))
        rejects = tuple(row for row in rejects if row not in doubtful)
        result = scan(inputs, plan.settings.scan, plan.id_key, known=known)
    frame = _with_columns(to_frame(result.records), plan.before)
    total = len(places_of(plan.found.kept)) + len(rejects) + len(inputs)
    catalog = publish(plan.settings, frame, plan.labels, (*rejects, *result.rejects), total)
    return _retried(plan, catalog)


def _retried(plan: RetryPlan, catalog: Catalog) -> Retried:
    """What the retry gave; the counts are of images."""
    new = catalog.frame[~catalog.frame["image_id"].isin(plan.before["image_id"])]
    unfilled = plan.labels is None and "cancer" in plan.before
    found, gone = plan.found, plan.found.gone
    return Retried(
        catalog=catalog,
        tried=found.tried,
        new_images=len(new),
        unlabeled=_missing(catalog.frame, "cancer"),
        without_fold=_missing(catalog.frame, FOLD),
        read_again=len(plan.before) - len(found.kept) - gone if unfilled else 0,
        gone=gone,
    )


def _first_key(settings: CatalogSettings, before: pd.DataFrame) -> bytes:
    """The key that the ids of the manifest were made with; ConfigError where it is not there."""
    path = settings.key_path
    if not path.exists():
        raise ConfigError(
            f"no id key {str(path)!r}, and with a new one ids would change; name the key of the "
            "first scan with --id-key"
        )
    key = load_key(path)
    for record in to_records(before.iloc[:1]):
        tags, frames = record.tags, settings.scan.read.frames
        if image_id(key, name_of(tags.sop_instance_uid, tags.frame, frames)) != record.image_id:
            raise ConfigError(
                f"the id key {str(path)!r} did not make the ids of {str(settings.manifest)!r}; "
                "name the key of the first scan with --id-key"
            )
    return key


def _states(settings: CatalogSettings) -> tuple[_State, ...]:
    """What changes when a run writes the files: inode, size in bytes and time of each."""
    return tuple(map(_state, (settings.manifest, settings.rejects)))


def _state(path: Path) -> _State:
    """None where there is no such file."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return None
    return state.st_ino, state.st_size, state.st_mtime_ns


def _doubtful(
    result: ScanResult, known: Sequence[ImageRecord], rejects: Sequence[Reject]
) -> list[Reject]:
    """Duplicates of an image whose copy to keep is now another one: to be compared with that."""
    settled = {_location(record) for record in known}
    new = {record.image_id for record in result.records if _location(record) not in settled}
    return [row for row in rejects if row.reason is Reason.DUPLICATE and row.image_id in new]


def _with_columns(frame: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """The frame with the columns that `before` has beyond a scan's; nothing for a new image."""
    added = before.set_index("image_id")[[n for n in before.columns if n not in SCHEMA.names]]
    carried = added.reindex(frame["image_id"]).reset_index(drop=True)
    for name in carried.columns:
        if pd.api.types.is_string_dtype(added[name]):
            carried[name] = carried[name].fillna("")
    return pd.concat([frame, carried], axis=1)


def _missing(frame: pd.DataFrame, name: str) -> int | None:
    return int(frame[name].isna().sum()) if name in frame else None


def _lacking(what: str, count: int | None, cure: str) -> str:
    if count is None:
        return f"no image of the manifest has a {what}"
    images = f"{counted(count, 'image')} of the manifest without a {what}"
    return f"{images}; {cure}" if count else images


def _location(record: ImageRecord) -> Place:
    return record.location.path, record.location.member
