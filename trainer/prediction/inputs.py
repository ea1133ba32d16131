"""What to score: a manifest, or DICOM files and folders that are scanned on the spot."""

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from dali_pipelines.catalog.scan import ScanOptions, scan
from dali_pipelines.catalog.walk import walk
from dali_pipelines.dicom.read_options import ReadOptions
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.identity import load_key
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.verdicts import Reject
from trainer.cohort import fingerprint_of
from trainer.distributed import World
from trainer.scores.table import key_path

# from a number of inputs to something with `update(done, **counts)`, or to None
Watch = Callable[[int], AbstractContextManager[Any]]

_USUAL: Final = ReadOptions()


@dataclass(frozen=True, slots=True)
class Inputs:
    """Rows of a manifest, why other inputs are none, and the key of the ids.

    `cohort` is the fingerprint of all that the manifest labels, None without labels and folds.
    """

    frame: pd.DataFrame
    rejects: list[Reject]
    key: bytes
    cohort: str | None = None

    @property
    def lost(self) -> int:
        """Inputs that ought to have been images; one that is no image of ours is not lost."""
        return sum(reject.reason.status == "failed" for reject in self.rejects)


def read_inputs(
    sources: Sequence[Path],
    out: Path,
    fold: int | None = None,
    key_file: Path | None = None,
    watch: Watch = lambda _total: nullcontext(),
    options: ReadOptions = _USUAL,
) -> Inputs:
    """The images of one manifest, or of one fold of it, or those found in files and folders.

    `options` say how DICOM files are read; a manifest has settled that.
    The key is `key_file`, or that beside the manifest, or beside `out`; it is made if it is not
    there. Raises ConfigError and DatasetError where the sources or the fold do not exist.
    """
    if len(sources) == 1 and sources[0].suffix == ".parquet":
        _require_usual(options)
        frame = read_manifest(sources[0])
        key = load_key(key_file or key_path(sources[0]))
        return Inputs(_of_fold(frame, sources[0], fold), [], key, fingerprint_of(frame))
    if any(source.suffix == ".parquet" for source in sources):
        raise ConfigError(
            "a manifest (.parquet) must be the only input; name the others in a run of their own"
        )
    if fold is not None:
        raise ConfigError("--fold needs a manifest with folds, not DICOM files")
    inputs = list(walk(sources))
    out.parent.mkdir(parents=True, exist_ok=True)
    key = load_key(key_file or key_path(out))
    with watch(len(inputs)) as bar:
        report = (lambda done, counts: bar.update(done, **counts)) if bar else lambda _d, _c: None
        found = scan(inputs, ScanOptions(options), key, report)
    return Inputs(to_frame(found.records), list(found.rejects), key)


def read_shared(world: World, read: Callable[[], Inputs]) -> Inputs:
    """What rank 0 reads, on all ranks: files that come or go meanwhile are the same to all."""
    inputs = world.gather(read() if world.is_main else None)[0]
    assert isinstance(inputs, Inputs)
    return inputs


def _require_usual(options: ReadOptions) -> None:
    for name, usual in dataclasses.asdict(_USUAL).items():
        if getattr(options, name) != usual:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} needs DICOM files; scan with it to have it in a manifest")


def _of_fold(frame: pd.DataFrame, manifest: Path, fold: int | None) -> pd.DataFrame:
    if fold is None:
        return frame
    if "fold" not in frame.columns:
        raise DatasetError(f"{str(manifest)!r} has no folds; assign them with `mammo split`")
    chosen = frame[frame["fold"] == fold].reset_index(drop=True)
    if chosen.empty:
        known = ", ".join(str(k) for k in sorted(frame["fold"].dropna().unique()))
        raise ConfigError(f"the manifest has no fold {fold}; it has folds {known}")
    return chosen
