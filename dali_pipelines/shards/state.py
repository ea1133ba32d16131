"""What lies in the folder of a planned shard: nothing to rely on, or the rows of what it holds."""

from dali_pipelines.shards.plan import PlannedShard, ShardPlan
from dali_pipelines.shards.rows import UNREADABLE, Rows, is_planned, read_rows
from dali_pipelines.shards.settings import stored_shape
from dali_pipelines.shards.stored_images import StoredImages


def find_rows(shard: PlannedShard, plan: ShardPlan) -> Rows | None:
    """The rows of the shard; None where it is not there as planned, or its files are too short."""
    try:
        rows = read_rows(shard.folder)
        shape = stored_shape(plan.recipe, plan.settings)
        images = StoredImages(shard.folder, rows, plan.settings, shape)
        is_there = is_planned(rows, shard, plan.recipe.hash) and images.are_whole()
        is_there = is_there and len(images) == len(rows) - len(rows.reasons())
    except UNREADABLE:
        return None
    return rows if is_there else None


def is_settled(rows: Rows | None, *, retry_failed: bool) -> bool:
    """Whether a shard is there, and nothing in it would end otherwise today.

    What failed for a reason that may pass would; with `retry_failed` whatever failed is to be tried
    again.
    """
    if rows is None:
        return False
    return not any(retry_failed or reason.may_pass for reason in rows.reasons())
