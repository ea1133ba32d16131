import math

import pytest

from trainer.optim.patience import is_stale, rises_missed


@pytest.mark.parametrize(
    ("figures", "patience", "stale"),
    [
        ([], 1, False),
        ([0.5], 1, False),
        ([0.5, 0.5], 1, True),  # as good is not better
        ([0.5, 0.4, 0.6], 2, False),
        ([0.5, 0.4, 0.45], 2, True),  # better than the last, not than the best
        ([0.5, 0.4, 0.45], 3, False),
        ([0.5, 0.4, 0.45], 0, False),
        ([None, None], 2, True),  # never defined
        ([None, 0.5, None], 2, False),
        ([0.5, math.nan, math.nan], 2, True),
        ([math.nan, 0.5], 1, False),
        ([0.5, 0.4, 0.3, 0.6], 2, False),  # it is asked after every figure; then it was stale
    ],
)
def test_a_figure_is_stale_that_has_not_risen(
    figures: list[float | None], patience: int, stale: bool
) -> None:
    assert is_stale(figures, patience) is stale


@pytest.mark.parametrize(
    ("figures", "patience", "times"),
    [
        ([0.5, 0.4, 0.4, 0.4], 3, 0),
        ([0.5, 0.4, 0.4, 0.4, 0.4], 3, 1),
        ([0.5] + [0.4] * 8, 3, 2),
        ([0.5, 0.4, 0.6, 0.5, 0.5], 1, 1),
        ([0.5, 0.4, 0.4], 0, 2),
        ([0.5, None, None], 1, 1),
    ],
)
def test_patience_is_lost_anew_each_time(
    figures: list[float | None], patience: int, times: int
) -> None:
    assert rises_missed(figures, patience) == times
