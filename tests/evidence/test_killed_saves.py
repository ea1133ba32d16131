"""SIGKILL at any moment of saving leaves a run that goes on from a whole checkpoint."""

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from trainer.checkpoint import Checkpoint, load_latest, save_checkpoint
from trainer.checksums import checksum_path, is_sound

LAST, PREVIOUS = "last.pt", "previous.pt"


def _checkpoint(number: int) -> Checkpoint:
    """One whose every value is `number`, so that a mixture of two would show."""
    weights = {f"layer{i}": torch.full((64, 64), float(number)) for i in range(8)}
    return Checkpoint(weights, {}, {}, "", {}, {}, number, 0, "", {}, [], {})


def save_for_ever(folder: Path, start: int) -> None:
    """Save one after the other as fast as can be; the numbers rise."""
    number = start
    while True:
        save_checkpoint(_checkpoint(number), folder / LAST, folder / PREVIOUS)
        if number == start:
            (folder / "begun").touch()
        number += 1


def _latest(folder: Path) -> int:
    found = load_latest(folder)
    if found is None:
        return 0
    number = found[1].epoch
    assert all((w == number).all() for w in found[1].model.values()), "two were mixed"
    return number


@pytest.mark.slow
def test_a_kill_at_any_moment_costs_at_most_what_was_being_saved(
    tmp_path: Path, full: bool, record_evidence: Callable[[str, dict[str, Any]], None]
) -> None:
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["trainer.checkpoint"])
    rng = np.random.default_rng(0)
    kills = 300 if full else 30
    before, ends = 0, {"last": 0, "previous": 0, "without a digest": 0, "half written": 0}
    for _ in range(kills):
        process = processes.Process(target=save_for_ever, args=(tmp_path, before + 1))
        process.start()
        while not (tmp_path / "begun").exists():
            time.sleep(0.001)
        (tmp_path / "begun").unlink()
        time.sleep(rng.uniform(0, 0.05))
        process.kill()
        process.join()
        now = _latest(tmp_path)
        assert now > before, "what was saved once is not lost"
        before = now
        last = tmp_path / LAST
        ends["last" if last.exists() else "previous"] += 1
        ends["without a digest"] += last.exists() and not checksum_path(last).exists()
        ends["half written"] += any(path.suffix == ".tmp" for path in tmp_path.iterdir())
        assert all(is_sound(path) for path in tmp_path.glob("*.pt"))
    record_evidence("killed_saves", {"kills": kills, "lost": 0, "saves": before, "found": ends})
