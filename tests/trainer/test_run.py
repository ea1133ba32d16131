from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.verdicts import Reason, Reject
from trainer.cohort import select_cohort
from trainer.distributed import World
from trainer.resume import require_agreement, resume, to_checkpoint
from trainer.run import Run
from trainer.run_folder import LAST
from trainer.settings import TrainSettings
from trainer.tally import Tally

ALONE = World(0, 1, 1, torch.device("cpu"))


@pytest.fixture
def run(toy_frame: pd.DataFrame) -> Run:
    """A run that has no network, since nothing here learns."""
    settings = TrainSettings()
    learner: Any = SimpleNamespace(settings=settings, world=ALONE, tally=Tally(ALONE.device))
    return Run(learner, select_cohort(toy_frame, settings), Recipe("toy"), {})


def _finish(run: Run, *values: float | None) -> list[bool]:
    """Close epochs whose scores had these figures."""
    known = iter(values)
    run.figures = lambda _: {"val/breast/auroc": next(known)}  # type: ignore[method-assign]
    logits = np.where(np.isin(np.arange(64), run.cohort.held_out), 0.0, np.nan)
    return [run.finish_epoch(logits) for _ in values]


def test_the_best_epoch_is_the_first_of_the_greatest_figure(run: Run) -> None:
    assert _finish(run, 0.6, 0.8, 0.7, 0.8, None) == [True, True, False, False, False]
    assert run.best == {"metric": "val/breast/auroc", "value": 0.8, "epoch": 2}
    assert [row["epoch"] for row in run.history] == [1, 2, 3, 4, 5]


def test_without_a_figure_the_last_epoch_is_best_until_there_is_one(run: Run) -> None:
    assert _finish(run, None, None, 0.1) == [True, True, True]
    assert run.best["epoch"] == 3


def test_an_epoch_closes_with_its_mean_loss_and_the_next_starts_from_nothing(run: Run) -> None:
    run.blocks, run.learner.tally = 6, Tally(ALONE.device, 3.0, 4.0)
    _finish(run, 0.5)
    (row,) = run.history
    assert (row["epoch"], row["step"], row["train/loss"]) == (1, 6, 0.75)
    assert row["lr"] == pytest.approx(TrainSettings().optim.lr, rel=0.02)  # near its top
    assert (run.epoch, run.blocks) == (1, 0)
    assert run.learner.tally.values().tolist() == [0.0, 0.0]


def test_ranks_that_stand_elsewhere_end_the_run(run: Run) -> None:
    run.epoch, run.blocks = 1, 3
    require_agreement(run)
    for other in ((0, 0), (1, 2)):
        run.learner = SimpleNamespace(  # type: ignore[assignment]
            world=SimpleNamespace(gather=lambda place, other=other: [place, other])
        )
        with pytest.raises(ConfigError, match=r"do not see the same checkpoint.*disk they share"):
            require_agreement(run)


def test_what_was_lost_before_counts_once(run: Run) -> None:
    def reject(name: str) -> Reject:
        return Reject(f"/{name}", "", name, "decode", Reason.TRUNCATED, "cut short")

    run.lost = [reject("a"), reject("b")]
    source: Any = SimpleNamespace(rejects=[reject("b"), reject("c")])
    assert [r.image_id for r in run.rejects(source)] == ["a", "b", "c"]


def test_a_damaged_checkpoint_of_the_run_says_how_to_start_over(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ckpt").mkdir()
    (tmp_path / LAST).write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(CheckpointError, match=r"damaged.*--resume no") as caught:
        resume(run, tmp_path)
    assert "cannot be read" not in str(caught.value)
    assert str(caught.value).count("last.pt") == 1


def test_a_checkpoint_to_score_by_names_no_folder_of_the_machine(run: Run) -> None:
    model = replace(run.settings.model, pretrained="/home/who/weights.pt")
    learner: Any = run.learner
    learner.settings = replace(run.settings, model=model)
    learner.require_numbers, learner.steps = lambda: None, 0
    kept = to_checkpoint(run, {"weight": torch.ones(1)})
    assert kept.settings["model"]["pretrained"] == "weights.pt"
