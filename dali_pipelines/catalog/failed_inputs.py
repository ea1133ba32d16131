"""A manifest and its rejects -> what of the inputs behind them is to be opened again.

What failed, what an archive that changed since holds now, and what was compared with an image that
such an archive had.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd

from dali_pipelines.catalog.walk import STAGE, Input, walk
from dali_pipelines.columns import unescape
from dali_pipelines.errors import ConfigError
from dali_pipelines.storage.archive import Source
from dali_pipelines.storage.regular_file import reject_of
from dali_pipelines.verdicts import Reason, Reject, Status

GONE: Final = "gone since the scan: its archive, read again, does not give it any more"
_COMPARED: Final = (Reason.DUPLICATE, Reason.DUPLICATE_CONFLICT)

Place = tuple[str, str]  # path and member


@dataclass(frozen=True, slots=True)
class FailedInputs:
    """`inputs` are to be opened; `kept` images and `rejects` stay as they are.

    `tried` rows of the table of rejects failed and are behind the inputs. `gone` known images were
    members of an archive that has them no more; each is an E_IO among the inputs.
    """

    inputs: tuple[Input, ...]
    kept: pd.DataFrame
    rejects: tuple[Reject, ...]
    tried: int
    gone: int


def find_failed_inputs(
    sources: Sequence[Path], before: pd.DataFrame, rows: Sequence[Reject], own: Collection[Path]
) -> FailedInputs:
    """What is to be opened at or below `sources`, anywhere where there are none.

    An archive that changed since is read again as a whole. Raises ConfigError where a source has
    nothing to do with the images and rows.
    """
    _require_known(sources, {*_paths(before), *(row.path for row in rows)})
    failed = [row for row in rows if row.reason.status is Status.FAILED and _is_in(row, sources)]
    again = _to_read_whole({row.path for row in failed}, before)
    stays = pd.Series((path not in again for path in _paths(before)), before.index, dtype=bool)
    kept, tried = before[stays].reset_index(drop=True), set(failed)
    rejects = [row for row in rows if row not in tried and row.path not in again]
    compared = _compared_with(before[~stays], rejects)
    rejects = [row for row in rejects if row not in compared]
    settled = places_of(kept) | set(map(place_of, rejects))
    found = _inputs_of(failed, own, settled) | {place_of(row): _source(row) for row in compared}
    before_places = places_of(before) | set(map(place_of, rows))
    wanted = {place for place in before_places if place[0] in again} | set(map(place_of, failed))
    gone = {place for place in wanted - settled - found.keys() if _is_member(place)}
    found |= {place: Reject(*place, "", STAGE, Reason.IO, GONE) for place in gone}
    inputs = tuple(found[place] for place in sorted(found))
    lost = sum(place in gone for place in _places(before))
    return FailedInputs(inputs, kept, tuple(rejects), len(failed), lost)


def places_of(frame: pd.DataFrame) -> set[Place]:
    """Those of the inputs that the images are from."""
    return set(_places(frame))


def place_of(item: Input) -> Place:
    """Where an input lies."""
    return item.path, item.member


def _require_known(sources: Sequence[Path], paths: Collection[str]) -> None:
    known = {Path(path) for path in paths}
    known |= {parent for path in known for parent in path.parents}
    for source in sources:
        if not _names(source) & known:
            raise ConfigError(
                f"nothing that was scanned lies at or below {str(source)!r}; name what the scan "
                "named, or nothing, to try all that failed"
            )


def _is_in(row: Reject, sources: Sequence[Path]) -> bool:
    tops = {name for source in sources for name in _names(source)}
    return not tops or bool(tops & {Path(row.path), *Path(row.path).parents})


def _names(source: Path) -> set[Path]:
    return {source.absolute(), source.resolve()}


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


def _compared_with(images: pd.DataFrame, rejects: Sequence[Reject]) -> set[Reject]:
    """The rejects that are duplicates of images of which it is open whether they stay."""
    names = set(images["image_id"])
    return {row for row in rejects if row.reason in _COMPARED and row.image_id in names}


def _inputs_of(
    failed: Sequence[Reject], own: Collection[Path], settled: Collection[Place]
) -> dict[Place, Input]:
    """What a scan meets now where rows failed, each place once and no settled one."""
    found: dict[Place, Input] = {}
    for row in failed:
        for item in _walk_again(row, own):
            if place_of(item) not in settled:
                found[place_of(item)] = item
    return found


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


def _source(row: Reject) -> Source:
    return Source(row.path, row.member)


def _is_member(place: Place) -> bool:
    """Whether it lies in an archive; a folder there has only ever one row, for all below it."""
    return bool(place[1]) and not place[1].endswith("/")


def _paths(frame: pd.DataFrame) -> list[str]:
    """Not as a column, which cannot hold the name of every file."""
    return list(map(unescape, frame["path"]))


def _places(frame: pd.DataFrame) -> list[Place]:
    return list(zip(_paths(frame), map(unescape, frame["member"]), strict=True))
