"""The charts of scores: where points of scores that lie close together are drawn."""

import re

import numpy as np
import pytest

from trainer.evaluation.bands import Drawn
from trainer.report.score_charts import Rows, calibration_chart


@pytest.mark.parametrize(("low", "high"), [(0.50, 0.52), (0.1, 0.9)])
def test_points_of_a_narrow_range_of_scores_lie_apart(low: float, high: float) -> None:
    labels = np.tile([0, 0, 1], 40)
    rows = Rows(labels, np.linspace(low, high, 120), np.arange(120))
    svg = calibration_chart(rows, None, Drawn(100, 0, 0.95))
    across = [float(x) for x in re.findall(r'<circle class="dot s1" cx="([0-9.]+)"', svg)]
    assert len(across) > 9
    assert np.diff(across).min() > 6.4  # their disks do not touch


def test_equal_scores_are_one_point() -> None:
    rows = Rows(np.tile([0, 1], 20), np.full(40, 0.5), np.arange(40))
    svg = calibration_chart(rows, None, Drawn(100, 0, 0.95))
    assert svg.count("<circle") == 1
