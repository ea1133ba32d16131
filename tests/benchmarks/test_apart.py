"""Contenders in processes of their own: in turns, and each failure where it belongs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.apart import measure
from benchmarks.job import Contender, Job
from benchmarks.process_tree import descendants
from benchmarks.timing import Measurement
from dali_pipelines.errors import DatasetError, DeviceError
from dali_pipelines.recipe import Recipe

BLOCK = 64 << 20


@contextmanager
def note_passes(job: Job) -> Iterator[Callable[[], None]]:
    """Writes a line for each pass, holds a large block meanwhile, and has a process of its own."""
    name, _, log = job.model.partition("=")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as worker:

        def run() -> None:
            block = bytearray(b"x") * BLOCK
            with Path(log).open("a") as file:
                file.write(f"{name} {len(block)}\n")
            time.sleep(0.1)  # long enough to be seen

        yield run
        worker.communicate(b"\n")


@contextmanager
def fail_late(job: Job) -> Iterator[Callable[[], None]]:
    """Fails in its third pass, as the job says."""
    count = 0

    def run() -> None:
        nonlocal count
        count += 1
        if count < 3:
            return
        if job.model == "die":
            os._exit(9)
        raise {"data": DatasetError("no good"), "bug": ValueError("secret")}[job.model]

    yield run


@contextmanager
def fail_early(_job: Job) -> Iterator[Callable[[], None]]:
    raise OSError("no such thing")
    yield


@contextmanager
def never_opened(_job: Job) -> Iterator[Callable[[], None]]:
    raise AssertionError
    yield


JOB = Job((), Recipe("none"), 1, 1)


def failing(how: str, *, optional: bool) -> Contender:
    return Contender(how, fail_late, replace(JOB, model=how), optional=optional)


def test_all_have_their_passes_in_turns_and_none_stops_the_others(tmp_path: Path) -> None:
    log = tmp_path / "log"
    steady = [Contender(n, note_passes, replace(JOB, model=f"{n}={log}")) for n in ("a", "b")]
    weak = [failing(how, optional=True) for how in ("die", "data", "bug")]
    weak.append(Contender("closed", fail_early, JOB, optional=True))
    absent = Contender("absent", never_opened, JOB, ("json", "no_such.library"), optional=True)
    passes: list[int] = []
    found = measure([*steady, *weak, absent], 3, lambda: passes.append(1))
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["a", "b"] * 4
    assert found["die"] == "failed: its process ended with status 9"
    assert found["data"] == "failed: no good"
    assert found["bug"] == "failed: ValueError"  # its text may hold anything
    assert found["closed"] == "failed: OSError"
    assert found["absent"] == "not installed: no_such.library"
    assert len(passes) == 4 * 7
    assert descendants(os.getpid()) == [os.getpid()] or _only_the_tracker()
    for name in ("a", "b"):
        measured = found[name]
        assert isinstance(measured, Measurement)
        assert len(measured.samples) == 3
        assert all(sample.wall_s > 0 for sample in measured.samples)
        if sys.platform == "linux":
            assert measured.peak_mib > measured.baseline_mib + 60
            assert all(sample.cpu_s >= 0 for sample in measured.samples)


def _only_the_tracker() -> bool:
    """multiprocessing keeps one process that cleans up after the others."""
    others = descendants(os.getpid())[1:]
    names = [Path(f"/proc/{pid}/cmdline").read_text() for pid in others]
    return all("resource_tracker" in name for name in names)


def test_a_failure_of_our_own_ends_the_run_as_what_it_is() -> None:
    with pytest.raises(DatasetError, match="no good"):
        measure([failing("data", optional=False)], 3)
    with pytest.raises(DeviceError, match=r"x needs no_such\.library, which is not installed"):
        measure([Contender("x", never_opened, JOB, ("no_such.library",))], 1)
