"""map_chunks: nothing is lost or repeated, whoever dies.

The functions that children run lie in a module of their own below a temporary folder, because a
test module is not importable in a child.
"""

import importlib
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from dali_pipelines.catalog import workers
from dali_pipelines.catalog.workers import Died, map_chunks
from dali_pipelines.errors import DeviceError

CHILD = """
import os
import signal
import time

def square(n):
    return n * n

def square_or_die(n):
    if n in (5, 17):
        os.kill(os.getpid(), signal.SIGSEGV)
    return n * n

def pid(n):
    return os.getpid()

def wait(n):
    os.write(1, f"{os.getpid()}\\n".encode())  # at once, or two lines may mix
    time.sleep(60)
"""


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "tasks_of_child.py").write_text(CHILD)
    monkeypatch.syspath_prepend(tmp_path)
    return importlib.import_module("tasks_of_child")


def flat(parts: object) -> list[object]:
    return [result for part in parts for result in part]


def test_one_worker_runs_here_and_in_chunks(child: ModuleType) -> None:
    parts = list(map_chunks(child.square, iter(range(5)), workers=1, chunk=2))
    assert parts == [[0, 1], [4, 9], [16]]
    assert flat(map_chunks(child.pid, [1], workers=1, chunk=2)) == [os.getpid()]


def test_two_workers_give_each_result_once(child: ModuleType) -> None:
    results = flat(map_chunks(child.square, range(23), workers=2, chunk=3))
    assert sorted(results) == [n * n for n in range(23)]
    assert os.getpid() not in flat(map_chunks(child.pid, range(4), workers=2, chunk=1))


def test_nothing_to_do_gives_nothing(child: ModuleType) -> None:
    assert list(map_chunks(child.square, [], workers=2, chunk=3)) == []


def test_an_item_that_kills_its_process_costs_itself_alone(child: ModuleType) -> None:
    results = flat(map_chunks(child.square_or_die, range(20), workers=2, chunk=4))
    wanted = [Died(n) if n in (5, 17) else n * n for n in range(20)]
    assert Counter(results) == Counter(wanted)


def test_processes_that_cannot_live_are_not_blamed_on_items(
    child: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "_settle_in", os.abort)
    with pytest.raises(DeviceError, match="--workers 1"):
        flat(map_chunks(child.square, range(3), workers=2, chunk=1))


PARENT = """
from dali_pipelines.catalog.workers import map_chunks
import tasks_of_child
if __name__ == "__main__":
    list(map_chunks(tasks_of_child.wait, range(2), workers=2, chunk=1))
"""


@pytest.mark.usefixtures("child")
def test_workers_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """All that hold its output: it ends for the reader when the last one has ended."""
    (tmp_path / "parent.py").write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    )
    pids = [int(parent.stdout.readline()) for _ in range(2)]
    parent.kill()
    try:
        assert parent.communicate(timeout=20) == ("", None)
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert parent.returncode == -signal.SIGKILL
