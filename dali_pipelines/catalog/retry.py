"""A scan of what failed before: a manifest and its rejects -> both, completed.

Where nothing else changed, the files are those that a scan of everything would write, at the cost
of the inputs that failed. Columns that later commands added, such as `fold`, stay.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from dali_pipelines.adapters import Labels
from dali_pipelines.catalog.build import Catalog, CatalogSettings, publish
from dali_pipelines.catalog.scan import Progress, ScanResult, scan
from dali_pipelines.catalog.walk import STAGE, Input, walk
from dali_pipelines.columns import unescape
from dali_pipelines.errors import ConfigError
from dali_pipelines.identity import load_key
from dali_pipelines.manifest import SCHEMA, read_manifest, to_frame, to_records
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.counts import VerdictCounts, counted
from dali_pipelines.rejects.table import read_rejects
from dali_pipelines.storage.archive import Source
from dali_pipelines.storage.regular_file import reject_of
from dali_pipelines.verdicts import Reason, Reject, Status

_Place = tuple[str, str]  # path and member


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """What is to be done: `inputs` are opened; `kept` images and `rejects` stay as they are.

    `tried` rows of the table of rejects are behind the inputs; `before` is the whole manifest.
    """

    settings: CatalogSettings
    inputs: tuple[Input, ...]
    tried: int
    kept: pd.DataFrame
    rejects: tuple[Reject, ...]
    before: pd.DataFrame
    labels: Labels | None
    id_key: bytes


@dataclass(frozen=True, slots=True)
class Retried:
    """The files as they are now, how many failed inputs were tried again, and what that gave.

    `read_again` images of an archive that changed lost what labels had filled in, since no labels
    were given.
    """

    catalog: Catalog
    tried: int
    new_images: int
    unlabeled: int
    without_fold: int
    read_again: int

    @property
    def counts(self) -> VerdictCounts:
        """Those of the catalog: all inputs, not only what was tried again."""
        return self.catalog.counts

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        names = ("tried", "new_images", "unlabeled", "without_fold", "read_again")
        return {**self.catalog.to_dict(), "retried": {name: getattr(self, name) for name in names}}

    def text(self) -> str:
        """What became of them, what new images still lack, and the catalog, for a terminal."""
        gave = counted(self.new_images, "new image")
        lines = [f"{counted(self.tried, 'failed input')} tried again, {gave}"]
        if self.unlabeled:
            lines.append(f"{counted(self.unlabeled, 'new image')} without a label; give --labels")
        if self.without_fold:
            lacking = counted(self.without_fold, "new image")
            lines.append(f"{lacking} without a fold; run `mammo split` again")
        if self.read_again:
            found = counted(self.read_again, "known image")
            lines.append(f"{found} read again from a changed archive; give --labels to fill gaps")
        return "\n".join([*lines, self.catalog.text()])


def plan_retry(sources: Sequence[Path], settings: CatalogSettings) -> RetryPlan:
    """The inputs that failed before, at or below `sources` where any are given.

    An archive that changed since is read again as a whole. Raises ConfigError where there is no
    table of rejects or no id key, DatasetError as `read_manifest` and `read_labels` do.
    """
    rows = read_rejects(settings.rejects)
    before = read_manifest(settings.manifest) if settings.manifest.exists() else to_frame([])
    if not settings.key_path.exists():
        raise ConfigError(
            f"no id key {str(settings.key_path)!r}, and with a new one ids would change; name the "
            "key of the first scan with --id-key"
        )
    labels, key = settings.read_labels(), load_key(settings.key_path)
    failed = _failed(rows, sources)
    again = _to_read_whole({row.path for row in failed}, before)
    stays = pd.Series((path not in again for path in _paths(before)), before.index, dtype=bool)
    kept = before[stays].reset_index(drop=True)
    tried = set(failed)
    rejects = [row for row in rows if row not in tried and row.path not in again]
    found = _inputs_of(failed, settings.own, _places(kept) | {_place(row) for row in rejects})
    return RetryPlan(settings, tuple(found), len(failed), kept, tuple(rejects), before, labels, key)


def write_retry(plan: RetryPlan, progress: Progress = lambda _done, _counts: None) -> Retried:
    """Scan the inputs of the plan and write the files; errors as of `write_catalog`."""
    known = to_records(plan.kept)
    result = scan(plan.inputs, plan.settings.scan, plan.id_key, progress, known=known)
    inputs, rejects = plan.inputs, plan.rejects
    if doubtful := _doubtful(result, known, rejects):
        inputs = (*inputs, *(Source(row.path, row.member) for row in doubtful))
        rejects = tuple(row for row in rejects if row not in doubtful)
        result = scan(inputs, plan.settings.scan, plan.id_key, known=known)
    frame = _with_columns(to_frame(result.records), plan.before)
    total = len(_places(plan.kept)) + len(rejects) + len(inputs)
    rejects += result.rejects
    catalog = publish(plan.settings, frame, plan.labels, rejects, total)
    new = catalog.frame[~catalog.frame["image_id"].isin(plan.before["image_id"])]
    unfilled = plan.labels is None and "cancer" in plan.before
    return Retried(
        catalog=catalog,
        tried=plan.tried,
        new_images=len(new),
        unlabeled=_missing(new, "cancer"),
        without_fold=_missing(new, "fold"),
        read_again=len(plan.before) - len(plan.kept) if unfilled else 0,
    )


def _failed(rows: Sequence[Reject], sources: Sequence[Path]) -> list[Reject]:
    """The rows that failed, at or below the sources, anywhere where there are none."""
    tops = {top for source in sources for top in (source.absolute(), source.resolve())}
    failed = [row for row in rows if row.reason.status is Status.FAILED]
    return [row for row in failed if not tops or tops & {Path(row.path), *Path(row.path).parents}]


def _to_read_whole(paths: Collection[str], before: pd.DataFrame) -> set[str]:
    """Those of the paths that are not known to be the files that the manifest was made from."""
    stated = zip(before["file_size"], before["mtime_ns"], strict=True)
    known = dict(zip(_paths(before), stated, strict=True))
    found = {path: _state(path) for path in paths}
    return {path for path, state in found.items() if state and known.get(path) != state}


def _state(path: str) -> tuple[int, int] | None:
    """Size and time of a file; None where it is gone."""
    try:
        state = os.stat(path)
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns


def _inputs_of(
    failed: Sequence[Reject], own: Collection[Path], settled: Collection[_Place]
) -> list[Input]:
    """What a scan meets now where rows failed, each place once and no settled one."""
    found: dict[_Place, Input] = {}
    for row in failed:
        for item in _walk_again(row, own):
            if _place(item) not in settled:
                found[_place(item)] = item
    return [found[place] for place in sorted(found)]


def _walk_again(row: Reject, own: Collection[Path]) -> Iterable[Input]:
    """The inputs at the path of a row; the row itself, as E_IO or the like, where it is gone."""
    try:
        os.stat(row.path)
    except OSError as error:
        gone = reject_of(error)
        return [replace(row, stage=STAGE, reason=gone.reason, detail=gone.detail)]
    path = Path(row.path)
    if path.is_symlink() and path.is_dir():
        return [row]  # it led to nothing before, and a link to a folder is not followed
    return walk([path], own)


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


def _missing(frame: pd.DataFrame, name: str) -> int:
    return int(frame[name].isna().sum()) if name in frame else 0


def _paths(frame: pd.DataFrame) -> list[str]:
    """Not as a column, which cannot hold the name of every file."""
    return list(map(unescape, frame["path"]))


def _places(frame: pd.DataFrame) -> set[_Place]:
    return set(zip(_paths(frame), map(unescape, frame["member"]), strict=True))


def _place(item: Input) -> _Place:
    return item.path, item.member


def _location(record: ImageRecord) -> _Place:
    return record.location.path, record.location.member
