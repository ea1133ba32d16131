import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from dali_pipelines.errors import CheckpointError, ConfigError, RejectsError
from dali_pipelines.manifest import write_manifest
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.limits import parse_limit
from trainer.checkpoint import load_checkpoint
from trainer.metrics.figures import evaluate_scores
from trainer.networks.settings import ModelSettings
from trainer.optim.settings import OptimSettings
from trainer.run_folder import BEST, LAST
from trainer.sampling_settings import DataSettings
from trainer.scores.reading import read_predictions
from trainer.settings import TrainSettings
from trainer.train import RunOptions, TrainResult, train

RECIPE = Recipe("toy", resize=ResizeSettings(size=(32, 32)))
SETTINGS = TrainSettings(
    epochs=2,
    seed=3,
    threads=1,
    model=ModelSettings("test_resnet", drop=0.1),
    optim=OptimSettings(lr=5e-3),
    data=DataSettings(batch=8, positive_share=0.5),
)


@pytest.fixture
def go(toy_manifest: Path, fake_source: Any, tmp_path: Path) -> Callable[..., TrainResult]:
    def run(name: str, *, watch: Callable[[int], None] | None = None, **changes: Any) -> Any:
        def open_source(records: Sequence[ImageRecord], *rest: Any) -> Any:
            source = fake_source(records, *rest)
            source.on_batch = watch or source.on_batch
            return source

        options = RunOptions(device="cpu", open_source=open_source)
        steered = {k: changes.pop(k) for k in ("resume", "max_rejects") if k in changes}
        settings = replace(SETTINGS, **changes)
        return train(settings, RECIPE, toy_manifest, tmp_path / name, replace(options, **steered))

    return run


def _status(folder: Path) -> str:
    state: str = json.loads((folder / "status.json").read_text())["state"]
    return state


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / LAST).model


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_a_small_network_learns_a_toy_signal(go: Any, tmp_path: Path) -> None:
    result = go("run", epochs=6)
    assert result.state == "done"
    assert result.checkpoint == tmp_path / "run" / BEST
    losses = [row["train/loss"] for row in result.history]
    assert losses[-1] < losses[0] / 2
    assert result.best["value"] == max(r["val/breast/auroc"] for r in result.history) > 0.9
    best = load_checkpoint(result.checkpoint)
    assert best.recipe_hash == RECIPE.hash
    assert best.optimizer == {}
    assert _status(tmp_path / "run") == "done"


def test_the_run_directory_agrees_with_itself(go: Any, tmp_path: Path) -> None:
    result = go("run")
    folder = tmp_path / "run"
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert rows == result.history == load_checkpoint(folder / LAST).history
    scores = read_predictions(folder / "oof.csv")
    assert len(scores) == rows[0]["val/image/n"] == 32
    assert set(scores["fold"]) == {0}
    assert not scores["patient_id"].str.startswith("p").any()
    figures = evaluate_scores(scores)
    assert figures["breast/auroc"] == result.best["value"]


def test_the_same_seed_gives_the_same_weights_and_another_does_not(go: Any, tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        go(name, epochs=1, seed=seed)
        torch.manual_seed(99)  # the caller's generator plays no part
    assert _same(_weights(tmp_path / "a"), _weights(tmp_path / "b"))
    assert not _same(_weights(tmp_path / "a"), _weights(tmp_path / "c"))


@pytest.mark.parametrize("batch", [2, 7], ids=["midway", "while validating"])
def test_an_interrupted_run_ends_with_the_same_weights(go: Any, tmp_path: Path, batch: int) -> None:
    whole = go("whole")
    seen = []

    def interrupt(number: int) -> None:
        seen.append(number)
        if len(seen) == batch + 1:
            os.kill(os.getpid(), signal.SIGTERM)

    first = go("cut", watch=interrupt)
    assert first.state == "preempted"
    assert _status(tmp_path / "cut") == "preempted"
    kept = load_checkpoint(tmp_path / "cut" / LAST)
    assert (kept.epoch, kept.blocks) == (0, min(batch + 1, 7))
    torch.manual_seed(99)
    second = go("cut")
    assert second.state == "done"
    assert second.history == whole.history
    assert _same(_weights(tmp_path / "cut"), _weights(tmp_path / "whole"))
    assert (tmp_path / "cut/oof.csv").read_bytes() == (tmp_path / "whole/oof.csv").read_bytes()


def test_a_killed_run_goes_on_from_its_last_checkpoint(go: Any, tmp_path: Path) -> None:
    go("whole", save_blocks=3)

    def die(number: int) -> None:
        if number == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go("cut", watch=die, save_blocks=3)
    assert _status(tmp_path / "cut") == "interrupted"
    assert load_checkpoint(tmp_path / "cut" / LAST).blocks == 3
    go("cut", save_blocks=2)
    assert _same(_weights(tmp_path / "cut"), _weights(tmp_path / "whole"))


def test_a_finished_run_is_not_run_again_unless_asked(go: Any, tmp_path: Path) -> None:
    first = go("run", epochs=1)
    shown: list[int] = []
    again = go("run", epochs=1, watch=shown.append)
    assert again == first
    assert shown == []
    afresh = go("run", epochs=1, resume="no", watch=shown.append)
    assert afresh.history == first.history
    assert shown


def test_a_run_started_over_leaves_nothing_of_the_old_one(go: Any, tmp_path: Path) -> None:
    go("run", epochs=1)

    def die(_number: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go("run", epochs=1, resume="no", watch=die)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"ckpt", "config.yaml", "env.json", "status.json", "log.txt"}
    assert not list((tmp_path / "run" / "ckpt").iterdir())


def test_a_run_is_not_taken_up_with_other_settings(
    go: Any, tmp_path: Path, toy_frame: pd.DataFrame, toy_manifest: Path
) -> None:
    go("run", epochs=1)
    with pytest.raises(ConfigError, match=r"epochs \(was 1, now 2\).*--resume no"):
        go("run", epochs=2)
    with pytest.raises(ConfigError, match="optim"):
        go("run", epochs=1, optim=OptimSettings(lr=1e-3))
    write_manifest(toy_frame.iloc[:-4], toy_manifest)
    with pytest.raises(CheckpointError, match="other images, labels or folds"):
        go("run", epochs=1)


def test_a_run_is_not_taken_up_with_other_pixels(
    go: Any, toy_manifest: Path, fake_source: Any, tmp_path: Path
) -> None:
    go("run", epochs=1)
    other = Recipe("toy", resize=ResizeSettings(size=(32, 32), fit="stretch"))
    options = RunOptions(device="cpu", open_source=fake_source)
    with pytest.raises(CheckpointError, match=f"recipe {RECIPE.hash}, not {other.hash}"):
        train(replace(SETTINGS, epochs=1), other, toy_manifest, tmp_path / "run", options)


def test_a_fold_of_one_class_has_no_figure_and_the_last_epoch_counts(
    go: Any, toy_frame: pd.DataFrame, toy_manifest: Path
) -> None:
    healthy = toy_frame.assign(cancer=toy_frame["cancer"].where(toy_frame["fold"] == 1, 0))
    write_manifest(healthy, toy_manifest)
    result = go("run")
    assert [row["val/breast/auroc"] for row in result.history] == [None, None]
    assert result.history[0]["val/breast/n"] == 16
    assert result.best == {"metric": "val/breast/auroc", "value": None, "epoch": 2}


def test_a_run_without_validation_trains_on_every_fold(go: Any, tmp_path: Path) -> None:
    result = go("run", epochs=1, validate="none")
    assert result.history[0].keys() == {"epoch", "step", "train/loss", "lr"}
    assert result.checkpoint.exists()


def _break(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    broken = frame.index < len(frame) - count
    return frame.assign(manufacturer=frame["manufacturer"].where(broken, "broken"))


def test_rejects_are_counted_and_too_many_end_the_run(
    go: Any,
    tmp_path: Path,
    toy_frame: pd.DataFrame,
    toy_manifest: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "mammo")
    write_manifest(_break(toy_frame, 3), toy_manifest)
    result = go("few", epochs=1)
    assert result.state == "done"
    assert (result.counts.images, result.counts.failed, result.counts.inputs) == (61, 3, 64)
    assert result.rejects == tmp_path / "few" / "rejects.csv"
    assert "3 failed (E_TRUNCATED 3)" not in caplog.text  # the command says so
    assert (tmp_path / "few" / "rejects.csv").read_text().count("E_TRUNCATED") == 3
    with pytest.raises(RejectsError, match=r"3 of 64.*more than --max-rejects 2%"):
        go("many", epochs=1, max_rejects=parse_limit("2%"))
    assert "3 failed (E_TRUNCATED 3); mammo rejects" in caplog.text
    assert _status(tmp_path / "many") == "failed"
    kept = load_checkpoint(tmp_path / "many" / LAST)
    assert (kept.epoch, kept.blocks) == (1, 0)  # the work of the epoch is not lost
    with pytest.raises(RejectsError, match="3 of 64"):
        go("many", epochs=1, max_rejects=parse_limit("2%"))
    assert go("many", epochs=1).state == "done"


@pytest.mark.parametrize("save_blocks", [0, 7], ids=["preempted", "killed"])
def test_a_run_taken_up_remembers_its_rejects(
    go: Any, tmp_path: Path, toy_frame: pd.DataFrame, toy_manifest: Path, save_blocks: int
) -> None:
    """Those of training are behind when the second process starts: it scores whole images only."""
    write_manifest(_break(toy_frame, 3), toy_manifest)
    batches: list[int] = []

    def interrupt(number: int) -> None:
        batches.append(number)
        if len(batches) == 8:  # the first after the 7 of training
            if save_blocks:
                raise KeyboardInterrupt
            os.kill(os.getpid(), signal.SIGTERM)

    cut = {"epochs": 1, "save_blocks": save_blocks, "watch": interrupt}
    if save_blocks:
        with pytest.raises(KeyboardInterrupt):
            go("cut", **cut)
    else:
        assert go("cut", **cut).state == "preempted"
    assert (tmp_path / "cut" / "rejects.csv").read_text().count("E_TRUNCATED") == 3
    with pytest.raises(RejectsError, match="3 of 64"):
        go("cut", epochs=1, max_rejects=parse_limit("2%"))
    assert go("cut", epochs=1).state == "done"
    assert (tmp_path / "cut" / "rejects.csv").read_text().count("E_TRUNCATED") == 3


def test_images_are_prepared_on_the_device_that_was_asked_for(
    toy_manifest: Path, fake_source: Any, tmp_path: Path
) -> None:
    opened = []

    def open_source(records: Any, recipe: Any, settings: Any, device: str) -> Any:
        opened.append(device)
        return fake_source(records, recipe, settings)

    options = RunOptions(device="cpu", open_source=open_source)
    train(replace(SETTINGS, epochs=1), RECIPE, toy_manifest, tmp_path / "run", options)
    assert opened == ["cpu"]


def test_a_table_of_rejects_that_cannot_be_read_is_said(go: Any, tmp_path: Path) -> None:
    go("run", epochs=1)
    (tmp_path / "run" / "rejects.csv").write_text("path\n/x\n")
    with pytest.raises(CheckpointError, match=r"no table of rejects.*--resume no"):
        go("run", epochs=1)
