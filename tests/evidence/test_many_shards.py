"""The largest archive's number of images is planned, and found finished, in seconds."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.manifest import write_manifest
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.commit import committing
from dali_pipelines.shards.containers import open_container
from dali_pipelines.shards.payloads import encoding_of
from dali_pipelines.shards.plan import PlannedShard, ShardPlan, plan_shards
from dali_pipelines.shards.rows import made_row, write_rows
from dali_pipelines.shards.settings import Format, ShardSettings, stored_shape
from dali_pipelines.shards.shard_set import ShardSet
from dali_pipelines.shards.stored_images import checksum
from dali_pipelines.shards.workplace import at_work
from dali_pipelines.stages import Roi

pytestmark = pytest.mark.slow

SPR = 54_706  # images of the SPR 2025 training set
MOST_CPU_S = 10.0
MOST_BYTES = 10**9
SIZE = "resize.size=[2, 1]"
PLAN = """
import sys
from pathlib import Path
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.recipe import load_recipe
from dali_pipelines.shards.plan import plan_shards
from dali_pipelines.shards.settings import ShardSettings
records = to_records(read_manifest(sys.argv[1]))
plan_shards(records, load_recipe("demo"), ShardSettings(), Path("out")).digest
"""

# In a process between, which is small: to a child's largest size belongs that of its parent.
MEASURE = """
import json, resource, subprocess, sys, time
begin = time.monotonic()
subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.DEVNULL, check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({
    "wall_s": round(time.monotonic() - begin, 2),
    "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
    "max_rss_bytes": usage.ru_maxrss * 1024,
}))
"""


@pytest.fixture(scope="module")
def count(full: bool) -> int:
    return SPR if full else SPR // 10


@pytest.fixture(scope="module")
def records(record_of: Callable, count: int) -> list[ImageRecord]:
    """Synthetic rows with ids, paths and places of their own."""
    made = []
    for k in range(count):
        digest = sha256(str(k).encode()).hexdigest()
        names = {"sop_instance_uid": f"1.2.826.0.1.{k}", "patient_id": f"p{k // 4}"}
        record = record_of(**names, path=f"/archive/{k // 1000}/{k}.dcm", file_size=9_000_000 + k)
        made.append(replace(record, image_id=digest[:32], sha256=digest))
    return made


@pytest.fixture(scope="module")
def manifest(records: list[ImageRecord], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("many") / "manifest.parquet"
    write_manifest(to_frame(records), path)
    return path


def measured(*args: str) -> dict[str, float]:
    """Seconds of wall and of processor, and the most bytes of memory, of a Python that ran so."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", MEASURE, *args]
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(said)


def fill(plan: ShardPlan, shard: PlannedShard) -> None:
    """Commit the shard as a run would, of images of two black px."""
    shape = stored_shape(plan.recipe, plan.settings)
    image = np.zeros(shape, plan.settings.dtype)
    payload, rows = encoding_of(plan.settings).encode(image), []
    with committing(shard.folder) as aside:
        with open_container(aside, plan.settings, shape, plan.recipe.hash) as container:
            for number, planned in enumerate(shard.images):
                row = made_row(planned, Roi(0, 4, 0, 3), plan.recipe.hash)
                place = container.add(planned.record.image_id, payload, row)
                where = {"offset": place, "bytes": len(payload), "crc32": checksum(image)}
                rows.append({**row, **where, "row": number})
        write_rows(rows, aside)


def finished(
    records: list[ImageRecord], recipe: Recipe, out: Path, format_: Format
) -> ShardSettings:
    settings = ShardSettings(format_)
    plan = plan_shards(records, recipe, settings, out)
    with at_work(plan):
        for shard in plan.shards:
            fill(plan, shard)
    return settings


def test_planning(manifest: Path, count: int, record_evidence: Callable) -> None:
    facts = measured("-c", PLAN, str(manifest))
    assert facts["cpu_s"] < MOST_CPU_S
    assert facts["max_rss_bytes"] < MOST_BYTES
    record_evidence("shards_planned", {"images": count, **facts})


@pytest.mark.parametrize("format_", ["shards", "png16"])
def test_resuming_what_is_finished(
    format_: Format,
    records: list[ImageRecord],
    manifest: Path,
    count: int,
    record_evidence: Callable,
) -> None:
    out = manifest.with_name(format_)
    finished(records, load_recipe("demo", [SIZE]), out, format_)
    again = ["-m", "cli", "-q", "preprocess", str(manifest), str(out), "--recipe", "demo"]
    again += ["--set", SIZE, "--device", "cpu", "--format", format_, "--json"]
    measured(*again)  # writes the index
    before = {path: path.stat().st_mtime_ns for path in out.glob("*/*")}
    facts = measured(*again)
    assert {path: path.stat().st_mtime_ns for path in out.glob("*/*")} == before
    assert facts["cpu_s"] < MOST_CPU_S
    assert facts["max_rss_bytes"] < MOST_BYTES
    begin = time.process_time()
    shards = ShardSet.open(out)
    facts["open_shard_set_cpu_s"] = round(time.process_time() - begin, 2)
    assert len(shards) == count
    assert not shards.read(count - 1).any()
    record_evidence(f"shards_resumed_{format_}", {"images": count, **facts})
