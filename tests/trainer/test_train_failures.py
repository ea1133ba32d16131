"""How runs end that cannot go well, and what is still there to go on from."""

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from dali_pipelines.errors import CheckpointError, ConfigError, DamagedError, DatasetError
from dali_pipelines.manifest import write_manifest
from tests.trainer.toy_runs import DATA, SETTINGS, same
from trainer.artifact import load_to_score
from trainer.checkpoint import load_checkpoint
from trainer.losses.settings import LossSettings
from trainer.networks.settings import ModelSettings
from trainer.optim.settings import AverageSettings, OptimSettings
from trainer.run_folder import AVERAGE, BEST, LAST, MODEL, PREVIOUS


def _status(folder: Path) -> tuple[str, int | None]:
    content = json.loads((folder / "status.json").read_text())
    return content["state"], content.get("exit_code")


def _spoil(path: Path) -> None:
    """Flip a bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_run_that_diverges_says_so_and_keeps_numbers_only(toy_runs: Any) -> None:
    optim = OptimSettings("sgd", lr=1e12, clip_norm=0.0, warmup_share=0.0)
    with pytest.raises(ConfigError, match=r"loss became (nan|inf).*lower optim\.lr"):
        toy_runs("run", optim=optim, save_blocks=1)
    assert _status(toy_runs.folder / "run") == ("failed", 2)
    kept = toy_runs.last("run")
    assert kept.blocks < 7
    assert all(weight.isfinite().all() for weight in kept.model.values())


def test_a_last_step_that_diverges_leaves_no_model(toy_runs: Any) -> None:
    """One step without validation: its loss is a number, and nothing looks at the weights after."""
    optim = OptimSettings("momentum", lr=3e38, clip_norm=0.0, warmup_share=0.0, schedule="constant")
    changes = {
        "data": replace(DATA, batch=64, positive_share=None),
        "loss": LossSettings(scale=1e6),
    }
    with pytest.raises(ConfigError, match=r"a weight is no number.*lower optim\.lr"):
        toy_runs("run", optim=optim, validate="none", **changes)
    assert not list((toy_runs.folder / "run" / "ckpt").glob("*.pt"))
    assert _status(toy_runs.folder / "run") == ("failed", 2)


def test_folds_of_one_class_are_refused_before_any_work(
    toy_runs: Any, toy_frame: pd.DataFrame
) -> None:
    held_out = toy_frame["fold"] == 0
    write_manifest(
        toy_frame.assign(cancer=toy_frame["cancer"].where(held_out, 0)), toy_runs.manifest
    )
    with pytest.raises(DatasetError, match="other than 0 have 0 with it among 32"):
        toy_runs("run")
    assert not (toy_runs.folder / "run").exists()


def test_weights_of_another_network_are_refused(toy_runs: Any) -> None:
    toy_runs("other", model=ModelSettings("test_vit"))
    weights = toy_runs.folder / "vit.pt"
    torch.save(toy_runs.last("other").model, weights)
    model = replace(SETTINGS.model, pretrained=str(weights))
    with pytest.raises(CheckpointError, match=r"vit\.pt"):
        toy_runs("run", model=model)
    assert not (toy_runs.folder / "run").exists()


def test_a_run_is_not_taken_up_with_another_unit(toy_runs: Any) -> None:
    toy_runs("run", model=ModelSettings("test_resnet", unit="breast"))
    before = (toy_runs.folder / "run" / LAST).read_bytes()
    for unit in ("exam", "image"):
        with pytest.raises(ConfigError, match=r"model \(was .*'unit': 'breast'.*--resume no"):
            toy_runs("run", model=ModelSettings("test_resnet", unit=unit))
    assert (toy_runs.folder / "run" / LAST).read_bytes() == before


def _fill_disk(monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """Have the checkpoint of that number, and all after it, written by half."""
    save, seen = torch.save, []

    def fail(content: Any, file: Any) -> None:
        seen.append(file)
        if len(seen) < at:
            save(content, file)
            return
        file.write(b"PK\x03\x04" + bytes(1000))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("trainer.checkpoint.torch.save", fail)


def test_a_full_disk_leaves_the_last_checkpoint_to_go_on_from(
    toy_runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy_runs("whole")
    with monkeypatch.context() as full:
        _fill_disk(full, at=3)
        with pytest.raises(CheckpointError, match=r"last\.pt.*No space left on device.*make room"):
            toy_runs("cut", save_blocks=2)
    assert _status(toy_runs.folder / "cut") == ("failed", 5)
    names = {path.name for path in (toy_runs.folder / "cut" / "ckpt").iterdir()}
    whole = {Path(LAST).name, Path(PREVIOUS).name}
    assert names == whole | {f"{name}.sha256" for name in whole}
    assert toy_runs.last("cut").blocks == 4
    toy_runs("cut", save_blocks=2)
    assert same(toy_runs.last("cut").model, toy_runs.last("whole").model)
    assert same(load_to_score(toy_runs.folder / "cut" / MODEL).model, toy_runs.last("whole").model)


def test_a_damaged_last_checkpoint_is_replaced_by_the_one_before(
    toy_runs: Any, caplog: pytest.LogCaptureFixture
) -> None:
    toy_runs("whole")
    assert toy_runs("cut", stop_at=6, save_blocks=2).state == "preempted"
    _spoil(toy_runs.folder / "cut" / LAST)
    caplog.set_level("INFO", "mammo")
    toy_runs("cut", save_blocks=2)
    assert "last.pt is damaged; going on from previous.pt" in caplog.text
    assert same(toy_runs.last("cut").model, toy_runs.last("whole").model)


def test_a_damaged_best_checkpoint_gives_no_model(toy_runs: Any) -> None:
    """The run is done but for its last word, and the weights to score by are lost."""
    toy_runs("run")
    folder = toy_runs.folder / "run"
    model = (folder / MODEL).read_bytes()
    _spoil(folder / BEST)
    with pytest.raises(DamagedError, match=r"best\.pt.*damaged"):
        toy_runs("run")
    assert _status(folder) == ("failed", 5)
    assert (folder / MODEL).read_bytes() == model
    assert toy_runs("run", options={"resume": "no"}).state == "done"
    assert (folder / MODEL).read_bytes() == model


def test_a_run_stopped_while_its_average_is_scored_makes_it_later(toy_runs: Any) -> None:
    """2 epochs of 7 + 4 batches, then the average is scored in 4."""
    changes = {"epochs": 2, "average": AverageSettings(top=2)}
    whole = toy_runs("whole", **changes)
    assert toy_runs("cut", stop_at=24, **changes).state == "preempted"
    folder = toy_runs.folder / "cut"
    assert _status(folder)[0] == "preempted"
    assert not (folder / AVERAGE).exists()
    assert not (folder / MODEL).exists()
    cut = toy_runs("cut", **changes)
    assert cut.state == "done"
    assert cut.checkpoint.name == whole.checkpoint.name
    averages = [load_checkpoint(toy_runs.folder / run / AVERAGE) for run in ("whole", "cut")]
    assert same(averages[0].model, averages[1].model)
    assert (folder / MODEL).read_bytes() == (toy_runs.folder / "whole" / MODEL).read_bytes()
