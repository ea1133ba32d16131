"""What is kept of a run to score by."""

from typing import Any

from trainer.checkpoint import load_checkpoint
from trainer.decisions.threshold import f1_threshold
from trainer.optim.settings import AverageSettings
from trainer.run_folder import BEST, SCORES, epoch_file
from trainer.scores.table import read_predictions


def test_each_kept_epoch_has_its_own_figure_and_threshold(toy_runs: Any) -> None:
    result = toy_runs("run", epochs=3, average=AverageSettings(top=3))
    folder = toy_runs.folder / "run"
    kept = [load_checkpoint(folder / epoch_file(epoch)) for epoch in (1, 2, 3)]
    figures = [row["val/breast/auroc"] for row in result.history]
    assert [k.best["epoch"] for k in kept] == [1, 2, 3]
    assert [k.best["value"] for k in kept] == figures
    assert len({k.threshold for k in kept}) == 3  # of other networks
    best = load_checkpoint(folder / BEST)
    assert best.threshold == kept[best.best["epoch"] - 1].threshold


def test_a_threshold_is_of_the_scores_beside_it(toy_runs: Any) -> None:
    result = toy_runs("run", epochs=2, average=AverageSettings(top=2))
    table = read_predictions(toy_runs.folder / "run" / SCORES)
    assert load_checkpoint(result.checkpoint).threshold == f1_threshold(table, "breast")
