"""The mark of a subgroup: a disk on the scale, an arrow for what lies below it."""

import pytest

from trainer.evaluation.evaluation import LevelFigures
from trainer.intervals.interval import Interval
from trainer.report.forest import forest


@pytest.mark.parametrize(
    ("auroc", "low", "disks", "arrows"),
    [(0.8, 0.6, 1, 0), (0.8, 0.2, 1, 1), (0.1, 0.0, 0, 1), (0.0, None, 0, 1), (None, None, 0, 0)],
)
def test_what_lies_below_the_scale_is_an_arrow(
    auroc: float | None, low: float | None, disks: int, arrows: int
) -> None:
    interval = None if low is None else Interval(low, 0.9)
    mark = forest(LevelFigures({"auroc": auroc}, {"auroc": interval}, 2, 1))
    assert (mark.count("<circle"), mark.count("<polygon")) == (disks, arrows)
