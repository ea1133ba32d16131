"""What lies beside the shards: rejects.csv, and the index of all rows when all are there."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dali_pipelines.atomic import claim, replacing
from dali_pipelines.rejects.table import REJECTS, write_rejects
from dali_pipelines.shards.commit import INDEX
from dali_pipelines.shards.plan import ShardPlan
from dali_pipelines.shards.rows import SCHEMA, UNREADABLE, Rows, read_table
from dali_pipelines.shards.state import find_rows
from dali_pipelines.verdicts import Reason, Reject

_SCHEMA = SCHEMA.append(pa.field("shard", pa.string()))


def write_summary(plan: ShardPlan) -> dict[str, Rows]:
    """Write rejects.csv of the shards that are there, and the index if all are.

    Returns the rows of each shard that is there, by the name of its folder. Processes that end
    together do it one after another, so the last one sees all.
    """
    index = plan.out / INDEX
    with claim(index, wait=True):
        parts = _read_index(index)
        if parts is None:
            found = ((shard.folder.name, find_rows(shard, plan)) for shard in plan.shards)
            parts = {name: rows for name, rows in found if rows is not None}
            if len(parts) == len(plan.shards):
                _write_index(parts, index)
        write_rejects(find_rejects(parts.values(), plan), plan.out / REJECTS)
    return parts


def find_rejects(parts: Iterable[Rows], plan: ShardPlan) -> tuple[Reject, ...]:
    """A row for each image of these shards that could not be made."""
    failed = [row for rows in parts for row in rows.failed()]
    names = {row["image_id"] for row in failed}
    where = {r.image_id: r.location for r in plan.records if r.image_id in names}
    return tuple(
        Reject(
            path=where[row["image_id"]].path,
            member=where[row["image_id"]].member,
            image_id=row["image_id"],
            stage=row["stage"],
            reason=Reason(row["code"]),
            detail=row["detail"],
        )
        for row in failed
    )


def _read_index(index: Path) -> dict[str, Rows] | None:
    """The rows of each shard; None where there is no index, which is only there while it is right.

    One that is damaged counts as none, and goes.
    """
    try:
        table = read_table(index).select(_SCHEMA.names)
    except FileNotFoundError:
        return None
    except UNREADABLE:
        index.unlink()
        return None
    shards = table.column("shard").to_pylist()
    firsts = [k for k, name in enumerate(shards) if k == 0 or name != shards[k - 1]]
    ends = [*firsts[1:], len(shards)]
    plain = table.select(SCHEMA.names).to_pydict()
    return {
        shards[first]: Rows({name: values[first:end] for name, values in plain.items()})
        for first, end in zip(firsts, ends, strict=True)
    }


def _write_index(parts: Mapping[str, Rows], index: Path) -> None:
    columns = {name: [v for rows in parts.values() for v in rows[name]] for name in SCHEMA.names}
    columns["shard"] = [name for name, rows in parts.items() for _ in range(len(rows))]
    with replacing(index) as aside, aside.open("wb") as file:
        pq.write_table(pa.table(columns, _SCHEMA), file)
