"""The folder that shards are made in, which several processes of one plan may share.

OUT/spec.json       what the images are: the recipe and the settings, which never change, and the
                    plan, which may while nobody is at work
OUT/shard-00000/    images and rows
OUT/index.parquet   the rows of all shards, there when all of them are
OUT/rejects.csv     a working file, the only one here that holds paths
"""

import fcntl
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from dali_pipelines.atomic import guard_of, replacing, take_lock
from dali_pipelines.errors import ConfigError
from dali_pipelines.shards.commit import INDEX, recover, shards_left_aside
from dali_pipelines.shards.differences import differences
from dali_pipelines.shards.plan import ShardPlan, shard_number
from dali_pipelines.shards.rows import UNREADABLE, read_rows

_SPEC: Final = "spec.json"
FORMAT_VERSION: Final = 2

_PATIENCE_S: Final = 2.0  # a run that starts holds the folder for milliseconds
_MOST_PAUSE_S: Final = 0.1
_LEAST_SHARED: Final = 0.5  # of the images in a folder; one with fewer is of another data set


@contextmanager
def at_work(plan: ShardPlan) -> Iterator[None]:
    """The plan's folder, made if there is none, is that of this plan until the block ends.

    Processes of one plan are in it together. Raises ConfigError where it holds other things, images
    of another recipe, other settings or another data set, or a process of another plan is in it. A
    file system without locks lets all in.
    """
    plan.out.mkdir(parents=True, exist_ok=True)
    held = os.open(plan.out, os.O_RDONLY)
    try:
        _enter(held, plan)
        yield
    finally:
        os.close(held)


def read_spec(out: Path) -> dict[str, Any] | None:
    """What spec.json of a folder of shards says; None where there is none that can be read."""
    try:
        found = json.loads((out / _SPEC).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _enter(held: int, plan: ShardPlan) -> None:
    """Share the folder with those of the same plan; change the plan only where nobody is in it.

    Who gives way to another lets go of its own share of the lock, so one of two that start at
    once comes through.
    """
    spec = _spec(plan)
    end = time.monotonic() + _PATIENCE_S
    while True:
        if take_lock(held, fcntl.LOCK_SH | fcntl.LOCK_NB):
            found = _alike(plan.out, spec)
            if found == spec:
                return
            if take_lock(held, fcntl.LOCK_EX | fcntl.LOCK_NB):
                _take_over(plan, spec, is_new=found is None)
                continue
        fcntl.flock(held, fcntl.LOCK_UN)
        if time.monotonic() > end:
            raise ConfigError(
                f"another run is writing to {str(plan.out)!r}; wait for it, or choose another place"
            )
        time.sleep(random.uniform(0, _MOST_PAUSE_S))  # noqa: S311 - so that two do not keep step


def require_enterable(plan: ShardPlan) -> None:
    """Raise ConfigError where the folder holds what `at_work` refuses; nothing is written."""
    if plan.out.exists():
        found = _alike(plan.out, spec := _spec(plan))
        if found != spec:
            _require_fit(plan, is_new=found is None)


def _spec(plan: ShardPlan) -> dict[str, Any]:
    settings = plan.settings
    spec = {
        "format_version": FORMAT_VERSION,
        "recipe_hash": plan.recipe.hash,
        "images": len(plan.records),
        "plan_sha256": plan.digest,
        "shards": {"format": settings.format, "dtype": settings.dtype, "images": settings.images},
        "recipe": plan.recipe.to_dict(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(spec))
    return plain


def _alike(out: Path, spec: dict[str, Any]) -> dict[str, Any] | None:
    """The spec of the folder, None if it has none; ConfigError if more than the plan differs.

    A recipe of another name and the same hash gives the same pixels.
    """
    if not (out / _SPEC).exists():
        return None
    found = read_spec(out)
    if found is None:
        file = str(out / _SPEC)
        raise ConfigError(f"{file!r} cannot be read; choose an empty folder for the shards")
    differing = differences(found, spec)
    if differing:
        raise ConfigError(
            f"{str(out)!r} holds other images than asked for: {'; '.join(differing)}; ask for what "
            "it holds, or choose an empty folder"
        )
    return {**found, "recipe": spec["recipe"]}


def _take_over(plan: ShardPlan, spec: dict[str, Any], *, is_new: bool) -> None:
    """Make the folder that of the plan; shards that are no longer part of it go."""
    _require_fit(plan, is_new=is_new)
    if not is_new:
        (plan.out / INDEX).unlink(missing_ok=True)
        left = [(plan.out / name, shard_number(name)) for name in shards_left_aside(plan.out)]
        for folder, number in [*_shards_in(plan.out), *left]:
            recover(folder)
            if number is not None and number >= len(plan.shards):
                guard_of(folder).unlink(missing_ok=True)
                if folder.exists():
                    shutil.rmtree(folder)
    with replacing(plan.out / _SPEC) as aside:
        aside.write_text(json.dumps(spec, indent=2) + "\n")


def _require_fit(plan: ShardPlan, *, is_new: bool) -> None:
    if is_new:
        _require_empty(plan.out)
    else:
        _require_shared(plan)


def _require_empty(out: Path) -> None:
    if any(not path.name.startswith(f".{_SPEC}.") for path in out.iterdir()):
        raise ConfigError(f"{str(out)!r} is not empty and holds no shards; choose an empty folder")


def _require_shared(plan: ShardPlan) -> None:
    """Raise ConfigError where most images of the folder are not in the plan."""
    planned = {record.image_id for record in plan.records}
    held: set[str] = set()
    for folder, _ in _shards_in(plan.out):
        try:
            held |= set(read_rows(folder)["image_id"])
        except UNREADABLE:
            continue
    shared = len(held & planned)
    if shared < _LEAST_SHARED * len(held):
        raise ConfigError(
            f"{str(plan.out)!r} holds other images (only {shared:,} of its {len(held):,} are in "
            "the manifest); choose an empty folder"
        )


def _shards_in(out: Path) -> list[tuple[Path, int]]:
    numbered = ((path, shard_number(path.name)) for path in sorted(out.iterdir()))
    return [(path, number) for path, number in numbered if number is not None]
