import json
import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from dali_pipelines.errors import DatasetError
from dali_pipelines.verdicts import Reason, Reject
from trainer.journal import Journal, versions

KEY = bytes(32)


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
        journal.metrics([{"epoch": 1, "val/breast/auroc": None}])
        journal.metrics([{"epoch": 1, "val/breast/auroc": None}, {"epoch": 2}])
        journal.rejects([reject])
        journal.scores(toy_frame, logits, "abc")
        logging.getLogger("mammo.train").info("hello")
    logging.getLogger("mammo.train").info("too late")
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert config == {
        "train": {"epochs": 3, "optim": {"lr": 0.1}},
        "recipe": {"name": "demo", "size": [4, 4]},
    }
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"epoch": 1, "val/breast/auroc": None}, {"epoch": 2}]
    assert "E_TRUNCATED" in (tmp_path / "rejects.csv").read_text()
    assert (tmp_path / "rejects.csv").stat().st_mode & 0o777 == 0o600
    assert len(pd.read_csv(tmp_path / "oof.csv")) == 2
    assert (tmp_path / "log.txt").read_text().endswith("INFO hello\n")
    assert not list(tmp_path.glob("*.tmp"))


def test_other_ranks_write_nothing(tmp_path: Path, toy_frame: pd.DataFrame) -> None:
    with Journal(tmp_path / "run", KEY, is_main=False) as journal:
        journal.config({}, {})
        journal.metrics([])
        journal.rejects([])
        journal.scores(toy_frame, np.zeros(len(toy_frame)), "abc")
        journal.status("done")
    assert not (tmp_path / "run").exists()


def test_versions_name_what_a_result_depends_on() -> None:
    assert {"python", "torch", "timm", "numpy"} <= versions().keys()
    assert "absent" not in {versions()["torch"], versions()["timm"]}
