"""What a preprocess would do, without a file written: counts, bytes, and seconds by a sample."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, Final

import numpy as np

from dali_pipelines.inspection.sampling import draw_few
from dali_pipelines.loader import Loader
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.make import as_stored
from dali_pipelines.shards.payloads import encoding_of
from dali_pipelines.shards.plan import PlannedShard, ShardPlan, plan_shards
from dali_pipelines.shards.preprocess import Task
from dali_pipelines.shards.rows import UNREADABLE, read_rows, unchanged
from dali_pipelines.shards.settings import ShardSettings, stored_recipe, stored_shape
from dali_pipelines.shards.state import find_rows, is_settled
from dali_pipelines.shards.workplace import require_enterable

_WARM: Final = 8  # images that start the decoders, and are not timed where there are others
_TIMED: Final = 16

OpenLoader = Callable[[Sequence[ImageRecord], Recipe], Loader]


@dataclass(frozen=True, slots=True)
class Estimate:
    """The images to prepare, by transfer syntax and by manufacturer.

    `held` images are there, and stay also where others of their shard are made again. `bytes` to be
    written: exact for the numbers of format shards, less its tables; else, as `seconds`, by the
    mean of a sample of `timed` images.
    """

    images: int
    held: int
    syntaxes: Mapping[str, int]
    manufacturers: Mapping[str, int]
    bytes: int
    seconds: float
    timed: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def estimate(
    records: Sequence[ImageRecord],
    recipe: Recipe,
    out: Path,
    settings: ShardSettings,
    task: Task,
    open_loader: OpenLoader = Loader,
) -> Estimate:
    """What `preprocess` with these arguments would do; nothing is written, nothing is locked.

    Raises ConfigError where the folder holds what `preprocess` refuses.
    """
    plan = plan_shards(records, recipe, settings, out)
    require_enterable(plan)
    shards = [shard for shard in task.share.take(plan) if not _is_settled(shard, plan, task)]
    todo = [record for shard in shards for record in _todo(shard, plan)]
    total = sum(len(shard.images) for shard in task.share.take(plan))
    sample = draw_few(todo, _WARM + _TIMED)
    seconds, size, timed = 0.0, 0.0, 0
    if sample:
        seconds, size, timed = _time(sample, plan.recipe, settings, open_loader)
    if settings.format == "shards":
        size = prod(stored_shape(recipe, settings)) * np.dtype(settings.dtype).itemsize
    return Estimate(
        images=len(todo),
        held=total - len(todo),
        syntaxes=_counted(f"{r.stream.kind} {r.tags.transfer_syntax_uid}" for r in todo),
        manufacturers=_counted(r.tags.manufacturer or "not named" for r in todo),
        bytes=round(size * sum(len(shard.images) for shard in shards)),
        seconds=round(seconds * len(todo), 3),
        timed=timed,
    )


def _is_settled(shard: PlannedShard, plan: ShardPlan, task: Task) -> bool:
    return is_settled(find_rows(shard, plan), retry_failed=task.retry_failed)


def _todo(shard: PlannedShard, plan: ShardPlan) -> list[ImageRecord]:
    """The records of the images that the shard's folder does not hold; none of them is read."""
    try:
        held = {r["image_id"] for r in unchanged(read_rows(shard.folder), shard, plan.recipe.hash)}
    except UNREADABLE:
        held = set()
    return [i.record for i in shard.images if i.record.image_id not in held]


def _time(
    sample: Sequence[ImageRecord], recipe: Recipe, settings: ShardSettings, open_loader: OpenLoader
) -> tuple[float, float, int]:
    """Seconds and encoded bytes an image, and how many images were timed."""
    warm = sequential_blocks(min(_WARM, len(sample)), settings.batch)
    timed = sequential_blocks(len(sample), settings.batch)
    timed = timed[len(warm) :] if len(timed) > len(warm) else timed
    encode = encoding_of(settings).encode
    with (
        open_loader(sample, stored_recipe(recipe, settings)) as loader,
        ThreadPoolExecutor() as pool,
    ):
        for _ in loader.run(warm):
            pass
        start, sizes = time.perf_counter(), list[int]()
        for batch in loader.run(timed):
            valid = np.flatnonzero(batch.valid.numpy())
            images = as_stored(batch.images, settings.dtype)[valid]
            sizes += [len(payload) for payload in pool.map(encode, images)]
        elapsed = time.perf_counter() - start
    count = int((timed >= 0).sum())
    return elapsed / count, sum(sizes) / max(1, len(sizes)), count


def _counted(names: Any) -> dict[str, int]:
    """Each name's number, the most frequent first."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))
