"""What is kept of a run to score by."""

from typing import Any

from trainer.aggregation.policy import Aggregation
from trainer.checkpoint import load_checkpoint
from trainer.decisions.rules import Rule
from trainer.decisions.threshold import threshold_of
from trainer.metrics.figures import evaluate_scores
from trainer.optim.settings import AverageSettings
from trainer.run_folder import BEST, SCORES, epoch_file
from trainer.scores.reading import read_predictions


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
    assert load_checkpoint(result.checkpoint).threshold == threshold_of(
        table, "breast", Aggregation(), Rule("f", 1.0)
    )


def test_the_settings_choose_the_rule_and_how_views_are_joined(toy_runs: Any) -> None:
    result = toy_runs("run", threshold="sens90", aggregate="max/max")
    table = read_predictions(toy_runs.folder / "run" / SCORES)
    how = Aggregation("max")
    wanted = threshold_of(table, "breast", how, Rule("sens", 90.0))
    usual = threshold_of(table, "breast", Aggregation(), Rule("f", 1.0))
    assert load_checkpoint(result.checkpoint).threshold == wanted != usual
    assert result.history[-1]["val/breast/auroc"] == evaluate_scores(table, how)["breast/auroc"]
