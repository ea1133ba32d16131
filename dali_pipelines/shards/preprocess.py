"""Preprocess to disk: what a plan wants and the folder lacks is made, shard by shard.

The same call finishes what was interrupted, brings up to date what changed, and does its part where
other processes are at work in the same folder: each shard is claimed before it is made.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dali_pipelines.atomic import claim
from dali_pipelines.cores import core_count
from dali_pipelines.loader import Loader
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts
from dali_pipelines.shards.commit import recover, shards_left_aside
from dali_pipelines.shards.make import ShardMaker
from dali_pipelines.shards.plan import PlannedShard, ShardPlan, Share, plan_shards
from dali_pipelines.shards.settings import ShardSettings, stored_recipe
from dali_pipelines.shards.state import find_rows, is_settled
from dali_pipelines.shards.summary import find_rejects, write_summary
from dali_pipelines.shards.verify import Verifier, Verify
from dali_pipelines.shards.workplace import at_work
from dali_pipelines.verdicts import Reject

OpenLoader = Callable[[Sequence[ImageRecord], Recipe], Loader]


@dataclass(frozen=True, slots=True)
class Task:
    """What of a plan this call does: its share of the shards, and how thoroughly.

    With `retry_failed` shards with a failed image are made again, whatever it failed for, else only
    where the reason may have passed, such as a file that could not be read.
    """

    share: Share = Share()  # noqa: RUF009 - frozen
    retry_failed: bool = False
    verify: Verify = "none"


WHOLE: Final = Task()


@dataclass(frozen=True, slots=True)
class PreprocessResult:
    """What lies in the folder now of this call's share; `written` shards of it by this call.

    `missing` shards of the folder are not there: other shares, or at work in other processes.
    `verified` images were found right.
    """

    images: int
    rejects: tuple[Reject, ...]
    shards: int
    written: int
    missing: int
    verified: int
    counts: VerdictCounts


def preprocess(
    records: Sequence[ImageRecord],
    recipe: Recipe,
    out: Path,
    settings: ShardSettings,
    task: Task = WHOLE,
    open_loader: OpenLoader = Loader,
    progress: Callable[[int], None] = lambda _images: None,
) -> PreprocessResult:
    """Make those shards of `records` that `out` does not hold yet.

    What a shard holds of unchanged images stays, also where others of it are made again. `progress`
    first gets the number of images that are there, then those that come.

    Raises ConfigError where `out` holds other images, of another recipe, format or data set, and
    where a process of another plan is at work in it; GateError where a check fails.
    """
    plan = plan_shards(records, recipe, settings, out)
    with open_loader(records, stored_recipe(plan.recipe, settings)) as loader, at_work(plan):
        verifier = Verifier(task.verify, plan, lossy=loader.device == "cpu")
        with ThreadPoolExecutor(core_count(), "mammo-encode") as pool:
            maker = ShardMaker(plan, loader, pool, verifier.inspect, progress)
            work = _Work(plan, task, maker, verifier)
            work.run()
        return _result(plan, task.share, work.written, verifier.images)


class _Work:
    """Passes over the shards of a share until all are there, or in the hands of others."""

    def __init__(self, plan: ShardPlan, task: Task, maker: ShardMaker, verifier: Verifier) -> None:
        self.written = 0
        self._shards = task.share.take(plan)
        self._plan = plan
        self._task = task
        self._maker = maker
        self._verifier = verifier

    def run(self) -> None:
        """Make what is missing; what others were at is looked at again, for they may be killed."""
        self._recover()
        todo = [shard for shard in self._shards if not self._is_there(shard)]
        self._maker.progress(_images(self._shards) - _images(todo))
        while todo:
            busy = [shard for shard in todo if not self._settle(shard)]
            if len(busy) == len(todo):
                break
            todo = busy
        self._recover()

    def _settle(self, shard: PlannedShard) -> bool:
        """Whether the shard is there now; False where another process is making it."""
        if self._is_there(shard):
            return True
        with claim(shard.folder) as is_ours:
            if not is_ours:
                return False
            recover(shard.folder)
            if not self._is_there(shard):  # which another may have made just now
                self._maker.make(shard)
                self.written += 1
        return True

    def _is_there(self, shard: PlannedShard) -> bool:
        rows = find_rows(shard, self._plan)
        if rows is None or not is_settled(rows, retry_failed=self._task.retry_failed):
            return False
        return self._verifier.accepts(shard, rows)

    def _recover(self) -> None:
        """Clear away what killed processes left, of this share."""
        left = shards_left_aside(self._plan.out)
        for shard in self._shards:
            if shard.folder.name in left:
                with claim(shard.folder) as is_ours:
                    if is_ours:
                        recover(shard.folder)


def _images(shards: Sequence[PlannedShard]) -> int:
    return sum(len(shard.images) for shard in shards)


def _result(plan: ShardPlan, share: Share, written: int, verified: int) -> PreprocessResult:
    parts = write_summary(plan)
    own = share.take(plan)
    rows = [parts[shard.folder.name] for shard in own if shard.folder.name in parts]
    rejects = find_rejects(rows, plan)
    flagged = {record.image_id: bool(record.flags) for record in plan.records}
    made = [flagged[part["image_id"][place]] for part in rows for place in part.made]
    counts = count_verdicts(sum(map(len, rows)), made, rejects)
    missing = len(plan.shards) - len(parts)
    return PreprocessResult(counts.images, rejects, len(rows), written, missing, verified, counts)
