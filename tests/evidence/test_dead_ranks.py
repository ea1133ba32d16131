"""A rank that is killed costs a restart of all, and nothing of the result."""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.process_tree import descendants
from tests.evidence.lives import Undisturbed
from tests.evidence.resumed_settings import SETTINGS
from tests.evidence.run_contents import contents, differences
from tests.evidence.small_study import write_study
from tests.evidence.training_runs import Study, train_command
from trainer.run_folder import TIMING

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RESTARTS: Final = 3
LONGEST_S: Final = 300.0
_TORCHRUN: Final = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
LAUNCHED: Final = {
    "mammo train --nproc 2 --max-restarts 3": (
        ("-m", "cli"),
        ("--nproc", "2", "--max-restarts", str(RESTARTS)),
        {},
    ),
    "torchrun --nproc-per-node 2 --max-restarts 3": (
        (*_TORCHRUN, "--max-restarts", str(RESTARTS), "-m", "cli"),
        (),
        {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"},
    ),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Study:
    """32 blocks an epoch, or 13."""
    folder = tmp_path_factory.mktemp("dead-ranks")
    return write_study(folder, 40 if full else 16, {"epochs": 6 if full else 3, **SETTINGS})


@pytest.fixture(scope="module")
def undisturbed(study: Study) -> Path:
    """The run directory of two ranks that nothing disturbs."""
    return Undisturbed(study).out(2)


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("name", LAUNCHED)
def test_a_killed_rank_changes_nothing(
    name: str,
    study: Study,
    undisturbed: Path,
    tmp_path: Path,
    full: bool,
    facts: dict[str, Any],
    record_evidence: Callable,
) -> None:
    if name.startswith("torchrun") and not full:
        pytest.skip("the slice has one launcher")
    first, last, variables = LAUNCHED[name]
    out, chance = tmp_path / "run", random.Random(3)
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, *first, *train_command(study, out), *last],
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
            stdout=said,
            stderr=subprocess.STDOUT,
        )
    try:
        rows = 0
        for start in range(RESTARTS if full else 1):
            rows = wait_for_progress(process, out, rows)
            victim = find_rank(process, start, chance.randrange(2))
            os.kill(victim, signal.SIGKILL)
        assert process.wait(LONGEST_S) == 0, (tmp_path / "said").read_text()
    finally:
        end(process)
    resumed = re.findall(r"resumed from (.*)", (tmp_path / "said").read_text())
    assert len(resumed) == start + 1
    assert differences(contents(out), contents(undisturbed)) == []
    facts[name] = {"killed": RESTARTS, "resumed": resumed}
    record_evidence("dead_ranks", facts)


def wait_for_progress(process: subprocess.Popen[bytes], out: Path, rows: int) -> int:
    """Until there are two rows of timing more, one for each few steps of any life; how many."""
    until = time.monotonic() + LONGEST_S
    while (count := rows_of_timing(out)) < rows + 2:
        assert time.monotonic() < until, "no progress"
        assert process.poll() is None, "it ended before the last kill"
        time.sleep(0.01)
    return count


def rows_of_timing(out: Path) -> int:
    """How often a run has noted its rate, in all of its lives."""
    path = out / TIMING
    return path.read_bytes().count(b"\n") if path.exists() else 0


def end(process: subprocess.Popen[bytes]) -> None:
    """End what still runs of it."""
    for pid in descendants(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def find_rank(process: subprocess.Popen[bytes], start: int, rank: int) -> int:
    """The process of a rank that was started again so often."""
    wanted = {b"RANK=%d" % rank, b"TORCHELASTIC_RESTART_COUNT=%d" % start}
    for pid in descendants(process.pid)[1:]:
        with contextlib.suppress(OSError):
            if wanted <= set(Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")):
                return pid
    raise AssertionError("the ranks were not started as often")
