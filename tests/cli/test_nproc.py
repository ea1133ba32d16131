"""`mammo train --nproc 2`: both ranks of a real run, and what becomes of their exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.manifest import read_manifest, write_manifest
from trainer.checkpoint import load_checkpoint
from trainer.run_folder import BEST, LAST, SCORES

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / "configs" / "train" / "demo.yaml")
SMALL = ("--recipe", "demo", "--set", "resize.size=[32, 32]", "--set", "loader.isolation=thread")
LIMIT_S = 300  # of a busy machine; 10 s where nothing else runs


def _start(manifest: Path, out: Path, *options: str) -> subprocess.Popen[str]:
    told = ("--config", CONFIG, *SMALL, "--batch", "4", "--device", "cpu", "--nproc", "2")
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "train", str(manifest), "-O", str(out), *told, *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=LIMIT_S)
    return process.returncode, out, err


def _state(run: Path) -> str:
    state: str = json.loads((run / "status.json").read_text())["state"]
    return state


@pytest.mark.slow
def test_two_ranks_cross_validate_and_print_once(phantom_manifest: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, out, _ = _ended(_start(phantom_manifest, run, "--epochs", "1", "--fold", "all"))
    assert code == 0
    assert out.splitlines() == [str(run / f"fold-{fold}" / BEST) for fold in (0, 1)]
    assert load_checkpoint(run / "fold-1" / LAST).world_size == 2
    assert len(pd.read_csv(run / SCORES)) == len(read_manifest(phantom_manifest))


@pytest.mark.slow
@pytest.mark.parametrize("code", [2, 3, 5])
def test_the_exit_code_of_the_ranks_is_that_of_the_command(
    phantom_manifest: Path, tmp_path: Path, code: int
) -> None:
    manifest, options = phantom_manifest, ("--epochs", "0")
    if code == 3:
        manifest = tmp_path / "unsplit.parquet"
        write_manifest(read_manifest(phantom_manifest).drop(columns="fold"), manifest)
        options = ()
    if code == 5:
        (tmp_path / "weights").write_bytes(b"no weights")
        options = ("--pretrained", str(tmp_path / "weights"))
    ended, out, err = _ended(_start(manifest, tmp_path / "run", *options))
    assert ended == code
    assert not out
    assert "error: " in err
    assert "Traceback" not in err


def _asked_to_end(process: subprocess.Popen[str], run: Path, number: int) -> tuple[int, str]:
    """The exit code and stderr of a run that is sent a signal when it has its first checkpoint."""
    deadline = time.monotonic() + LIMIT_S
    while not (run / LAST).exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    code, _, err = _ended(process)
    return code, err


@pytest.mark.slow
def test_sigusr1_to_the_launcher_saves_a_checkpoint(phantom_manifest: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = _start(phantom_manifest, run, "--epochs", "40")
    code, err = _asked_to_end(process, run, signal.SIGUSR1)
    assert code == 75, err
    assert _state(run) == "preempted"
    kept = load_checkpoint(run / LAST)
    assert (0, 0) < (kept.epoch, kept.blocks) < (40, 0)


@pytest.mark.slow
def test_after_sigterm_the_same_command_goes_on(phantom_manifest: Path, tmp_path: Path) -> None:
    run, epochs = tmp_path / "run", ("--epochs", "6")
    code, err = _asked_to_end(_start(phantom_manifest, run, *epochs), run, signal.SIGTERM)
    assert code == 75, err
    assert _state(run) == "preempted"
    code, out, _ = _ended(_start(phantom_manifest, run, *epochs))
    assert code == 0
    assert out == f"{run / BEST}\n"
    assert _state(run) == "done"
    rows = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == list(range(1, 7))
