"""A loader whose process is interrupted leaves no process behind; inside it no thread stays."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.plan import shuffled_blocks
from dali_pipelines.recipe import load_recipe

records = to_records(read_manifest(Path(sys.argv[1])))
settings = LoaderSettings(threads=2, isolation=sys.argv[2])
with Loader(records, load_recipe("demo"), settings, "cpu") as loader:
    for epoch in range(1000):
        for batch in loader.run(shuffled_blocks(None, len(records), 4, seed=0, epoch=epoch)):
            print("batch", flush=True)
"""


def children(pid: int) -> set[int]:
    """The processes that this one has started, and theirs."""
    found: set[int] = set()
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, file.read_text().split()):
            found |= {child} | children(child)
    return found


def is_running(pid: int) -> bool:
    """Whether the process is there, and not merely waiting for its parent to hear of its end."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(
    isolation: str, number: signal.Signals, phantom_manifest: Path
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(phantom_manifest), isolation],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert run.stdout is not None
        for _ in range(3):
            assert run.stdout.readline() == "batch\n"
        started = children(run.pid)
        assert bool(started) == (isolation == "process")
        run.send_signal(number)
        _, told = run.communicate(timeout=30)
    finally:
        run.kill()
    assert run.returncode == -number, told
    deadline = time.monotonic() + 10
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not [pid for pid in started if is_running(pid)]
