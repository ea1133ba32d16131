"""Preprocess to disk: a plan of shards, each committed whole, resumed by running it again.

OUT/spec.json       what the images are; another recipe or list of images is refused
OUT/shard-00000/    images and rows (shard_file.py)
OUT/index.parquet   the rows of all shards, written when the last one is there
OUT/rejects.csv     a working file, the only one here that holds paths
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from dali_pipelines.atomic import alone_in, replacing
from dali_pipelines.errors import ConfigError
from dali_pipelines.loader import Loader
from dali_pipelines.plan import EMPTY, Blocks, sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts
from dali_pipelines.rejects.table import REJECTS, write_rejects
from dali_pipelines.shard_file import (
    INTEGER_MAX,
    DType,
    ShardWriter,
    is_settled,
    kept,
    read_rows,
)
from dali_pipelines.shard_images import Format
from dali_pipelines.verdicts import Reason, Reject, Status

FORMAT_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """`uint8` and `uint16` hold display values over their full range; floats are normalized."""

    format: Format = "safetensors"
    dtype: DType = "uint16"
    images: int = 256
    batch: int = 8

    def __post_init__(self) -> None:
        if self.images < 1 or self.batch < 1:
            raise ValueError("a shard and a batch need at least one image")


@dataclass(frozen=True, slots=True)
class PreprocessResult:
    """What lies in the folder now: images, rejects, shards; `written` of them by this run."""

    images: int
    rejects: tuple[Reject, ...]
    shards: int
    written: int
    counts: VerdictCounts


def preprocess(
    records: Sequence[ImageRecord],
    recipe: Recipe,
    out: Path,
    settings: ShardSettings,
    open_loader: Callable[[Sequence[ImageRecord], Recipe], Loader] = Loader,
    progress: Callable[[int], None] = lambda _images: None,
    *,
    retry_failed: bool = False,
) -> PreprocessResult:
    """Write those shards of `records` that `out` does not hold yet; `progress` gets images done.

    What is not in a shard is made where its images are gone, or where one failed for a reason that
    may have passed, such as a file that could not be read; with `retry_failed` for any reason.
    What a shard holds stays.

    Raises ConfigError where `out` holds other images, of another recipe, format or manifest, and
    where another process is at work in it.
    """
    if not records:
        raise ConfigError("the manifest holds no image to prepare")
    folders = [out / f"shard-{k:05d}" for k in range(-(-len(records) // settings.images))]
    writer = ShardWriter(settings.format, settings.dtype, recipe.hash)
    with open_loader(records, _stored_recipe(recipe, settings)) as loader, alone_in(out):
        _claim(out, _spec(records, recipe, settings))
        missing = {f for f in folders if not is_settled(f, retry_failed=retry_failed)}
        for k, folder in enumerate(folders):
            planned = range(k * settings.images, min((k + 1) * settings.images, len(records)))
            if folder in missing:
                _make(folder, planned, loader, writer, settings.batch)
            progress(len(planned))
        index = _write_index(out, folders)
        rejects = _rejects(index, records)
        write_rejects(rejects, out / REJECTS)
    flagged = {record.image_id: bool(record.flags) for record in records}
    made = index["image_id"][index["status"] == Status.OK].map(flagged)
    counts = count_verdicts(len(records), made, rejects)
    return PreprocessResult(counts.images, rejects, len(folders), len(missing), counts)


def _make(
    folder: Path, planned: Sequence[int], loader: Loader, writer: ShardWriter, batch: int
) -> None:
    """Commit the shard of the planned images; what it holds already is not decoded again."""
    held, records = kept(folder), [loader.records[i] for i in planned]
    todo = [i for i in planned if loader.records[i].image_id not in held]
    writer.commit(folder, records, loader.run(_blocks(todo, batch)), loader.rejects_by_id, held)


def _blocks(indices: Sequence[int], batch: int) -> Blocks:
    blocks = sequential_blocks(len(indices), batch)
    return np.where(blocks == EMPTY, EMPTY, np.array(indices)[blocks])


def _stored_recipe(recipe: Recipe, settings: ShardSettings) -> Recipe:
    """As `recipe`, in float32; integer shards hold display values, so they are not normalized."""
    resize = replace(recipe.resize, dtype="float32")
    if settings.dtype in INTEGER_MAX:
        resize = replace(resize, mean=0.0, std=1.0)
    return replace(recipe, resize=resize)


def _spec(
    records: Sequence[ImageRecord], recipe: Recipe, settings: ShardSettings
) -> dict[str, Any]:
    lines = (f"{record.image_id} {_content(record)}" for record in records)
    ids = hashlib.sha256("\n".join(lines).encode())
    return {
        "format_version": FORMAT_VERSION,
        "recipe_hash": recipe.hash,
        "images": len(records),
        "images_sha256": ids.hexdigest(),
        "shards": {key: value for key, value in asdict(settings).items() if key != "batch"},
        "recipe": recipe.to_dict(),
    }


def _content(record: ImageRecord) -> str:
    """What tells an image's bytes from others: its hash, else where in which file they lie."""
    place = record.location
    return record.sha256 or f"{place.file_size} {place.mtime_ns} {place.fragments}"


def _claim(out: Path, spec: dict[str, Any]) -> None:
    """Make `out` ours: write spec.json, or check that it is the same; drop what a crash left."""
    file = out / "spec.json"
    text = json.dumps(spec, indent=2) + "\n"
    if file.exists():
        found = _read_spec(file)
        differing = sorted(key for key in spec if found.get(key) != spec[key])
        if differing:
            raise ConfigError(
                f"{str(out)!r} holds other images ({', '.join(differing)} differ from what was "
                "asked for now); choose an empty folder"
            )
    elif any(out.iterdir()):
        raise ConfigError(f"{str(out)!r} is not empty and holds no shards; choose an empty folder")
    with replacing(file) as aside:
        aside.write_text(text)
    for leftover in out.glob(".shard-*.tmp"):
        shutil.rmtree(leftover)


def _read_spec(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigError(f"{str(file)!r} cannot be read; choose an empty folder for the shards")
    return found


def _write_index(out: Path, folders: Sequence[Path]) -> pd.DataFrame:
    parts = [read_rows(folder).assign(shard=folder.name) for folder in folders]
    index = pd.concat(parts, ignore_index=True)
    with replacing(out / "index.parquet") as aside, aside.open("wb") as file:
        index.to_parquet(file, index=False)
    return index


def _rejects(index: pd.DataFrame, records: Sequence[ImageRecord]) -> tuple[Reject, ...]:
    where = {record.image_id: record.location for record in records}
    failed = index[index["status"] == Status.FAILED]
    return tuple(
        Reject(
            path=where[row["image_id"]].path,
            member=where[row["image_id"]].member,
            image_id=row["image_id"],
            stage=row["stage"],
            reason=Reason(row["code"]),
            detail=row["detail"],
        )
        for row in failed.to_dict("records")
    )
