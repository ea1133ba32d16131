"""Learning curves: what is drawn of one run and of several, and what stands beside each line."""

import math
from dataclasses import replace
from pathlib import Path

from tests.trainer.report.toy_run import write_run
from trainer.report.learning_curves import learning_curves
from trainer.report.run_facts import read_runs


def test_a_run_is_drawn_by_level_with_the_value_of_the_epoch_that_was_kept(tmp_path: Path) -> None:
    curves = learning_curves(read_runs(write_run(tmp_path / "run")))
    assert curves.figure_name == "AUROC"
    assert curves.lines == [("s1", "breast", "0.900"), ("s3", "patient", "0.900")]
    # three epochs at the left edge, the middle and the right edge of the plot
    assert curves.loss.count("<polyline") == 1
    assert 'points="46,' in curves.loss
    assert curves.figure.count("<polyline") == 2


def test_a_cross_validation_is_drawn_by_fold(tmp_path: Path) -> None:
    for fold in (0, 1):
        write_run(tmp_path / f"fold-{fold}", fold=fold, aurocs=(0.5, 0.7 + fold / 10))
    curves = learning_curves(read_runs(tmp_path))
    assert curves.figure_name == "AUROC by breast"
    assert curves.lines == [("s0", "fold 0", "0.700"), ("s1", "fold 1", "0.800")]
    assert curves.loss.count("<polyline") == 2


def test_without_a_held_out_fold_there_is_the_loss_alone(tmp_path: Path) -> None:
    curves = learning_curves(read_runs(write_run(tmp_path / "run", aurocs=(None, None))))
    assert curves.figure is None
    assert curves.lines == []


def test_a_single_epoch_is_a_point(tmp_path: Path) -> None:
    curves = learning_curves(read_runs(write_run(tmp_path / "run", aurocs=(0.8,))))
    assert curves.loss.count("<circle") == 1
    assert curves.figure.count("<circle") == 2


def test_no_epoch_no_curve(tmp_path: Path) -> None:
    (run,) = read_runs(write_run(tmp_path / "run"))
    assert learning_curves([replace(run, history=[])]) is None
    assert learning_curves([]) is None


def test_a_loss_that_is_no_number_is_not_drawn(tmp_path: Path) -> None:
    (run,) = read_runs(write_run(tmp_path / "run"))
    lost = [
        {**row, "train/loss": value}
        for row, value in zip(run.history, (math.nan, math.inf, 2), strict=True)
    ]
    assert learning_curves([replace(run, history=lost)]).loss.count("<circle") == 1
    assert learning_curves([replace(run, history=lost[:2])]).loss is None
