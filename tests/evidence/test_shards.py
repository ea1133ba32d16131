"""Whatever ends a preprocess, the same command finishes it, and every byte is as if nothing had."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path

import pytest

from benchmarks.process_tree import descendants
from dali_pipelines.errors import DeviceError
from dali_pipelines.recipe import load_recipe
from dali_pipelines.shards.preprocess import WHOLE
from dali_pipelines.shards.processes import Job, preprocess_together
from dali_pipelines.shards.settings import ShardSettings
from tests.evidence.forked import CONTEXT
from tests.evidence.shard_runs import (
    OPTIONS,
    SHARD,
    files_in,
    require_whole_or_absent,
    said_by,
    small_disk,
    start,
    write_images,
)

pytestmark = pytest.mark.slow

Bytes = dict[str, bytes]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Path:
    """Of 20 shards, or 5."""
    return write_images(tmp_path_factory.mktemp("images"), 20 if full else 5)


@pytest.fixture(scope="module")
def undisturbed(manifest: Path) -> tuple[Bytes, float]:
    """What a run that nothing disturbs leaves, and the seconds it takes."""
    out = manifest.with_name("undisturbed")
    start(manifest, out).join()  # which also starts what processes are forked from
    begin = time.monotonic()
    again = manifest.with_name("again")
    process = start(manifest, again)
    process.join()
    assert process.exitcode == 0
    assert files_in(out) == files_in(again)
    return files_in(out), time.monotonic() - begin


def wait_for_begin(out: Path) -> None:
    """Until the run that was started last is a process, which a busy machine may put off."""
    while not said_by(out).exists():
        time.sleep(0.005)


def finish(manifest: Path, out: Path, wanted: Bytes) -> None:
    process = start(manifest, out)
    process.join()
    assert process.exitcode == 0, said_by(out).read_text()
    assert files_in(out) == wanted


def test_runs_killed_at_random_moments(
    manifest: Path,
    undisturbed: tuple[Bytes, float],
    tmp_path: Path,
    full: bool,
    record_evidence: Callable,
) -> None:
    wanted, seconds = undisturbed
    chance, kills, folders, found = random.Random(1), 30 if full else 3, 0, list[int]()
    while len(found) < kills:
        out = tmp_path / str(folders)
        folders += 1
        for _ in range(min(4, kills - len(found))):  # one folder is met by several
            process = start(manifest, out)
            wait_for_begin(out)
            process.join(chance.uniform(0.1, 0.9) * seconds)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            found.append(require_whole_or_absent(out, wanted) if out.exists() else 0)
        finish(manifest, out, wanted)
    shards = len({name.split("/")[0] for name in wanted if "/" in name})
    facts = {"kills": kills, "folders": folders, "shards": shards, "shards_found": found}
    record_evidence("shards_killed", facts)


def test_a_run_that_is_terminated_puts_its_files_away(
    manifest: Path, undisturbed: tuple[Bytes, float], tmp_path: Path, full: bool
) -> None:
    wanted, seconds = undisturbed
    chance = random.Random(2)
    for k in range(6 if full else 2):
        out = tmp_path / str(k)
        process = start(manifest, out)
        wait_for_begin(out)
        process.join(chance.uniform(0.1, 0.8) * seconds)
        process.terminate()
        process.join()
        assert process.exitcode in {143, 0, -signal.SIGTERM}  # the last: before `main` began
        if process.exitcode == 143:
            require_whole_or_absent(out, wanted)
            # the guard of a claim may stay, where the signal came as it was taken: it holds nobody
            assert all(path.suffix == ".lock" for path in out.glob(".*"))
        finish(manifest, out, wanted)


def test_a_disk_that_is_full(
    manifest: Path, undisturbed: tuple[Bytes, float], tmp_path: Path
) -> None:
    wanted, _ = undisturbed
    size = sum(map(len, wanted.values()))
    with small_disk(tmp_path / "disk", size // 2) as mounted:
        if not mounted:
            pytest.skip("no rights to mount a disk of its own")
        out = tmp_path / "disk" / "out"
        for _ in range(2):
            process = start(manifest, out)
            process.join()
            assert process.exitcode == 2
            found = require_whole_or_absent(out, wanted)
            assert 0 < found < len(wanted) // 2
            # the guard of a claim may stay, where the signal came as it was taken: it holds nobody
            assert all(path.suffix == ".lock" for path in out.glob(".*"))
        more = ["mount", "-o", f"remount,size={size * 4}", str(tmp_path / "disk")]
        subprocess.run(more, check=True)
        finish(manifest, out, wanted)


def test_two_workers_on_one_folder(
    manifest: Path, undisturbed: tuple[Bytes, float], tmp_path: Path, full: bool
) -> None:
    """Of the same command at the same time; one of them is killed every other time."""
    wanted, seconds = undisturbed
    chance = random.Random(3)
    shards = len({name.split("/")[0] for name in wanted if "/" in name})
    for k in range(8 if full else 2):
        folder = tmp_path / str(k)
        folder.mkdir()
        (folder / "out").mkdir()
        (folder / "link").symlink_to(folder / "out")  # so that each has a log of its own
        workers = [start(manifest, folder / name, "--json") for name in ("out", "link")]
        if k % 2:
            workers[1].join(chance.uniform(0.1, 0.7) * seconds)
            workers[1].kill()
        for worker in workers:
            worker.join()
        told = [said_by(folder / name).read_text() for name in ("out", "link")]
        assert workers[0].exitcode == 0, told[0]
        if k % 2:
            finish(manifest, folder / "out", wanted)
            continue
        assert workers[1].exitcode == 0, told[1]
        written = [json.loads(text.splitlines()[-1])["written"] for text in told]
        assert sum(written) == shards  # nothing twice
        assert files_in(folder / "out") == wanted


@pytest.mark.parametrize("format_", ["shards", "png16", "webdataset"])
def test_three_shares_make_what_one_makes(format_: str, manifest: Path, tmp_path: Path) -> None:
    kind = ("--format", format_)
    one, three = tmp_path / "one", tmp_path / "three"
    workers = [start(manifest, one, *kind, "--shard", "0/1")]
    workers += [start(manifest, three, *kind, "--shard", f"{k}/3") for k in range(3)]
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert files_in(one) == files_in(three)
    assert "index.parquet" in files_in(three)


def test_a_process_for_each_device(
    manifest: Path, undisturbed: tuple[Bytes, float], tmp_path: Path
) -> None:
    """As with --gpus all; the processes prepare on the CPU, where there is no GPU to see."""
    wanted, _ = undisturbed
    recipe = load_recipe("demo", [OPTIONS[3]])
    job = Job(manifest, recipe, tmp_path / "out", ShardSettings(images=SHARD), WHOLE, 1, "cpu")
    told: list[int] = []
    result = preprocess_together(job, ["0", "1"], told.append)
    shards = len({name.split("/")[0] for name in wanted if "/" in name})
    assert (result.written, result.missing) == (shards, 0)
    assert sum(told) == result.images == shards * SHARD
    assert files_in(tmp_path / "out") == wanted


def test_a_process_that_dies_leaves_its_work_to_the_others(
    manifest: Path, undisturbed: tuple[Bytes, float], tmp_path: Path, full: bool
) -> None:
    if not full:
        pytest.skip("the slice has one run of several processes")
    wanted, _ = undisturbed
    recipe = load_recipe("demo", [OPTIONS[3]])
    job = Job(manifest, recipe, tmp_path / "out", ShardSettings(images=SHARD), WHOLE, 1, "cpu")

    def kill_one() -> None:
        while not list((tmp_path / "out").glob("shard-*")):
            time.sleep(0.01)
        pid = active_children()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    with pytest.raises(DeviceError, match="ended with status -9"):
        preprocess_together(job, ["0", "1"], lambda _: None)
    killer.join()
    finish(manifest, tmp_path / "out", wanted)


def test_processes_end_with_the_one_that_started_them(
    manifest: Path, undisturbed: tuple[Bytes, float], tmp_path: Path, full: bool
) -> None:
    if not full:
        pytest.skip("the slice has one run of several processes")
    wanted, _ = undisturbed
    recipe = load_recipe("demo", [OPTIONS[3]])
    job = Job(manifest, recipe, tmp_path / "out", ShardSettings(images=SHARD), WHOLE, 1, "cpu")
    parent = CONTEXT.Process(target=preprocess_together, args=(job, ["0", "1"], print))
    parent.start()
    while not list((tmp_path / "out").glob("shard-*")):
        time.sleep(0.01)
    assert parent.pid is not None
    family = descendants(parent.pid)
    assert len(family) > 2
    parent.kill()
    parent.join()
    end = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() for pid in family):
        assert time.monotonic() < end, "processes outlive the one that was killed"
        time.sleep(0.05)
    require_whole_or_absent(tmp_path / "out", wanted)
    finish(manifest, tmp_path / "out", wanted)
