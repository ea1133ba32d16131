import errno
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import trainer.journal
from dali_pipelines.errors import CheckpointError, DatasetError
from dali_pipelines.verdicts import Reason, Reject
from trainer.checkpoint import Checkpoint, load_checkpoint
from trainer.journal import Journal
from trainer.run_folder import AVERAGE, BEST, LAST, PREVIOUS, epoch_file

KEY = bytes(32)


def _checkpoint(epoch: int) -> Checkpoint:
    weights = {"weight": torch.full((2,), float(epoch))}
    return Checkpoint(weights, {}, {}, "", {}, {}, epoch, 0, "", {}, [], {})


def _status(folder: Path) -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "status.json").read_text())
    return content


def test_the_state_of_a_run_is_there_for_scripts(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    with Journal(folder, KEY, is_main=True) as journal:
        assert _status(folder)["state"] == "running"
        assert _status(folder)["pid"] == os.getpid()
        journal.status("done", epoch=3)
    assert _status(folder)["state"] == "done"
    assert _status(folder)["epoch"] == 3


@pytest.mark.parametrize(
    ("error", "code", "state"),
    [
        (DatasetError("P-1 is bad"), 3, "failed"),
        (KeyError("x"), 1, "failed"),
        (SystemExit(143), 143, "failed"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_failed_run_says_so_and_names_no_patient(
    tmp_path: Path, error: BaseException, code: int, state: str
) -> None:
    with pytest.raises(type(error)), Journal(tmp_path, KEY, is_main=True):
        raise error
    status = _status(tmp_path)
    assert (status["state"], status["exit_code"]) == (state, code)
    assert status["error"] == type(error).__name__
    assert "P-1" not in (tmp_path / "status.json").read_text()


def test_what_a_run_leaves(tmp_path: Path, toy_frame: pd.DataFrame) -> None:
    reject = Reject("/x/1.dcm", "", "id1", "decode", Reason.TRUNCATED, "cut short")
    logits = np.where(np.arange(len(toy_frame)) < 2, 0.0, np.nan)
    logging.getLogger("mammo").setLevel(logging.INFO)
    with Journal(tmp_path, KEY, is_main=True) as journal:
        journal.config({"epochs": 3, "optim": {"lr": 0.1}}, {"name": "demo", "size": [4, 4]})
        journal.environment({"versions": {"torch": "2"}})
        journal.metrics_row({"epoch": 1, "step": 4, "val/breast/auroc": None})
        journal.metrics_row({"epoch": 2, "step": 8})
        journal.timing_row({"epoch": 2, "step": 8, "pass": "train", "seconds": 1.5})
        journal.rejects([reject])
        journal.scores(toy_frame, logits, "abc", "image")
        logging.getLogger("mammo.train").info("hello")
    logging.getLogger("mammo.train").info("too late")
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config == {
        "train": {"epochs": 3, "optim": {"lr": 0.1}},
        "recipe": {"name": "demo", "size": [4, 4]},
    }
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == [
        {"epoch": 1, "step": 4, "val/breast/auroc": None},
        {"epoch": 2, "step": 8},
    ]
    timing = json.loads((tmp_path / "timing.jsonl").read_text())
    assert datetime.fromisoformat(timing.pop("time")).tzinfo == UTC
    assert timing == {"epoch": 2, "step": 8, "pass": "train", "seconds": 1.5}
    assert json.loads((tmp_path / "env.json").read_text()) == {"versions": {"torch": "2"}}
    assert "E_TRUNCATED" in (tmp_path / "rejects.csv").read_text()
    assert (tmp_path / "rejects.csv").stat().st_mode & 0o777 == 0o600
    assert len(pd.read_csv(tmp_path / "oof.csv")) == 2
    assert (tmp_path / "log.txt").read_text().endswith("INFO hello\n")
    assert not list(tmp_path.glob("*.tmp"))


def test_other_ranks_write_nothing(tmp_path: Path, toy_frame: pd.DataFrame) -> None:
    with Journal(tmp_path / "run", KEY, is_main=False) as journal:
        journal.config({}, {})
        journal.start_over()
        journal.begin(0, 0, ("no such tracker",))
        journal.environment({})
        journal.metrics_row({"epoch": 1, "step": 1})
        journal.timing_row({"epoch": 1, "step": 1})
        journal.checkpoint(LAST, _checkpoint(1))
        journal.top(_checkpoint(1), [1])
        journal.artifact(_checkpoint(1))
        journal.rejects([])
        journal.scores(toy_frame, np.zeros(len(toy_frame)), "abc", "image")
        journal.status("done")
    assert not (tmp_path / "run").exists()


def _checkpoints(folder: Path) -> dict[str, int]:
    return {path.name: load_checkpoint(path).epoch for path in sorted(folder.glob("ckpt/*.pt"))}


def test_the_last_checkpoint_moves_aside_and_the_best_epochs_stay(tmp_path: Path) -> None:
    with Journal(tmp_path, KEY, is_main=True) as journal:
        for epoch, top in ((1, [1]), (2, [1, 2]), (3, [3, 2]), (4, [3, 2])):
            journal.top(_checkpoint(epoch), top)
            assert (tmp_path / epoch_file(1)).exists() or epoch > 3, "until the run cannot go back"
            journal.checkpoint(LAST, _checkpoint(epoch))
        journal.checkpoint(BEST, _checkpoint(2))
        journal.checkpoint(BEST, _checkpoint(3))
    assert _checkpoints(tmp_path) == {
        "best.pt": 3, "epoch-002.pt": 2, "epoch-003.pt": 3, "last.pt": 4, "previous.pt": 3,
    }  # fmt: skip
    names = {path.name for path in tmp_path.glob("ckpt/*")}
    assert names == {f"{name}{end}" for name in _checkpoints(tmp_path) for end in ("", ".sha256")}


def test_starting_over_leaves_nothing_of_the_run_before(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with Journal(tmp_path, KEY, is_main=True) as journal:
        journal.begin(0, 0, ("tensorboard",))
        journal.metrics_row({"epoch": 1, "step": 4})
        journal.timing_row({"epoch": 1, "step": 4})
        for name in (LAST, LAST, BEST, AVERAGE, epoch_file(1)):
            journal.checkpoint(name, _checkpoint(1))
        journal.artifact(_checkpoint(1))
        assert (tmp_path / PREVIOUS).exists()
    with Journal(tmp_path, KEY, is_main=True) as journal:
        journal.start_over()
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"mine.txt", "status.json", "log.txt"}


def _points(folder: Path, name: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(point.step, point.value) for point in events.Scalars(name)]


def _epoch(journal: Journal, epoch: int, blocks: list[int], value: float) -> None:
    """The rows of one epoch of four blocks: some within it, then its end."""
    for block in blocks:
        place = {"epoch": epoch, "step": 4 * (epoch - 1) + block}
        journal.metrics_row({**place, "block": block, "train/loss": value + block})
        journal.timing_row({**place, "rate_img_s": 100.0})
    place = {"epoch": epoch, "step": 4 * epoch}
    journal.timing_row({**place, "pass": "validate", "rate_img_s": 50.0})
    journal.metrics_row({**place, "val/image/auroc": value, "val/image/pf1": None})


def test_tensorboard_shows_each_point_once_after_a_crash(tmp_path: Path) -> None:
    def go_on(epoch: int, blocks: int) -> Journal:
        journal = Journal(tmp_path, KEY, is_main=True)
        journal.begin(epoch, blocks, ("tensorboard",))
        journal.config({"seed": 1, "model": {"name": "x", "pretrained": "/home/who/w.pt"}}, {})
        return journal

    with go_on(0, 0) as journal:
        _epoch(journal, 1, [2, 4], 0.5)
        _epoch(journal, 2, [2, 4], 0.6)
        _epoch(journal, 3, [2], 0.7)
    with go_on(1, 4) as journal:  # the last checkpoint was of the second epoch, not yet scored
        _epoch(journal, 2, [], 0.6)
        _epoch(journal, 3, [2, 4], 0.8)
    assert _points(tmp_path, "train/loss") == [
        (2, 2.5), (4, 4.5), (6, pytest.approx(2.6)), (8, pytest.approx(4.6)),
        (10, pytest.approx(2.8)), (12, pytest.approx(4.8)),
    ]  # fmt: skip
    aurocs = [(4, 0.5), (8, pytest.approx(0.6)), (12, pytest.approx(0.8))]
    assert _points(tmp_path, "val/image/auroc") == aurocs
    assert _points(tmp_path, "timing/validate/rate_img_s") == [(4, 50), (8, 50), (12, 50)]
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], "block" in row) for row in rows] == [
        (2, True), (4, True), (4, False), (6, True), (8, True), (8, False),
        (10, True), (12, True), (12, False),
    ]  # fmt: skip
    events = b"".join(path.read_bytes() for path in (tmp_path / "tensorboard").iterdir())
    assert events.count(b"w.pt") == 1
    assert b"/home/who" not in events


def test_a_disk_without_room_for_the_status_hides_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(CheckpointError, match="make room"), Journal(tmp_path, KEY, is_main=True):
        monkeypatch.setattr(trainer.journal, "write_status", fail)
        raise CheckpointError("make room")
