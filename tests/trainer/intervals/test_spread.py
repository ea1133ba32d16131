"""Intervals from standard errors: published values, hand-worked numbers, and edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.intervals.interval import Interval
from trainer.intervals.spread import (
    area_interval,
    difference_interval,
    positive_interval,
    proportion_interval,
)

MANY = 10**9  # patients with whom Student's t is the normal distribution
T_9 = 2.262157  # 97.5 % quantile of t with 9 degrees of freedom, of any table


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_of_independent_patients_has_the_interval_of_wilson(
    found: int, of: int, low: float, high: float
) -> None:
    share = found / of
    interval = proportion_interval(share, math.sqrt(share * (1 - share) / of), MANY, 0.95)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("kind", [proportion_interval, area_interval])
def test_none_missed_of_ten_is_not_certainty(kind: type) -> None:
    none, every = kind(0.0, 0.0, 10, 0.95), kind(1.0, 0.0, 10, 0.95)
    # Wilson's ends at 0 of n are 0 and z^2 / (n + z^2)
    assert (none.low, none.high) == pytest.approx((0.0, T_9**2 / (10 + T_9**2)), abs=1e-6)
    assert (every.low, every.high) == pytest.approx((10 / (10 + T_9**2), 1.0), abs=1e-6)


def test_an_area_worked_by_hand() -> None:
    # logit(0.9) = log 9; error on that scale 0.02 / 0.09; 2.262157 of these is 0.502702
    found = area_interval(0.9, 0.02, 10, 0.95)
    odds = 9 * math.exp(-0.5027016), 9 * math.exp(0.5027016)
    assert (found.low, found.high) == pytest.approx([x / (1 + x) for x in odds], abs=1e-6)


def test_a_figure_without_upper_end_worked_by_hand() -> None:
    found = positive_interval(0.2, 0.02, 10, 0.95)
    assert (found.low, found.high) == pytest.approx((0.2 / 1.253846, 0.2 * 1.253846), rel=1e-5)


def test_a_difference_worked_by_hand() -> None:
    found = difference_interval(0.03, 0.02, 10, 0.95)
    ends = (found.interval.low, found.interval.high)
    assert ends == pytest.approx((0.03 - T_9 * 0.02, 0.03 + T_9 * 0.02), abs=1e-6)
    assert found.p == pytest.approx(0.1679, abs=5e-4)  # t = 1.5 with 9 degrees of freedom
    assert difference_interval(T_9 * 0.02, 0.02, 10, 0.95).p == pytest.approx(0.05, abs=1e-6)


def test_a_difference_that_never_varies_is_as_sure_as_there_are_patients() -> None:
    assert difference_interval(0.0, 0.0, 5, 0.95).p == 1.0
    two, many = (difference_interval(1.0, 0.0, count, 0.95) for count in (2, 40))
    assert two.p == pytest.approx(0.392, abs=5e-4)  # t = sqrt 2 with one degree of freedom
    assert (two.interval.low, two.interval.high) == (-1.0, 1.0)
    assert many.p < 1e-6
    assert many.interval.low > 0


def test_differences_end_where_figures_do() -> None:
    assert difference_interval(0.5, 0.4, 10, 0.95).interval.high == 1.0
    assert difference_interval(-0.5, 0.4, 10, 0.95).interval.low == -1.0
    wide = difference_interval(5.0, 4.0, 10, 0.95, most=math.inf).interval
    assert wide.high == pytest.approx(5 + T_9 * 4)


def test_what_no_draw_changes_is_taken_for_that_of_independent_patients() -> None:
    for kind in (proportion_interval, area_interval):
        independent = kind(0.25, math.sqrt(0.25 * 0.75 / 10), 10, 0.95)
        assert ends_of(kind(0.25, 0.0, 10, 0.95)) == pytest.approx(ends_of(independent))


def ends_of(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


@given(st.floats(0, 1), st.floats(0, 0.5), st.integers(2, 1000), st.sampled_from([0.5, 0.9, 0.99]))
def test_ends_lie_around_the_figure_and_in_its_range(
    estimate: float, error: float, units: int, confidence: float
) -> None:
    for kind in (proportion_interval, area_interval):
        found = kind(estimate, error, units, confidence)
        assert 0 <= found.low <= estimate <= found.high <= 1
