"""DeLong's variance against two published examples and against its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import norm

from trainer.intervals.delong import delong, delong_compare, delong_interval

# The data of DeLong, DeLong and Clarke-Pearson 1988: albumin, total protein, K-G score and whether
# surgery helped, of the 43 women with all three; as in the SAS/STAT User's Guide, "The LOGISTIC
# Procedure", example "Comparing Receiver Operating Characteristic Curves".
WOMEN = """
3.0 5.8 10 0  3.2 6.3 5 1  3.9 6.8 3 1  2.8 4.8 6 0  3.2 5.8 3 1  0.9 4.0 5 0  2.5 5.7 8 0
1.6 5.6 5 1   3.8 5.7 5 1  3.7 6.7 6 1  3.2 5.4 4 1  3.8 6.6 6 1  4.1 6.6 5 1  3.6 5.7 5 1
4.3 7.0 4 1   3.6 6.7 4 0  2.3 4.4 6 1  4.2 7.6 4 0  4.0 6.6 6 0  3.5 5.8 6 1  3.8 6.8 7 1
3.0 4.7 8 0   4.5 7.4 5 1  3.7 7.4 5 1  3.1 6.6 6 1  4.1 8.2 6 1  4.3 7.0 5 1  4.3 6.5 4 1
3.2 5.1 5 1   2.6 4.7 6 1  3.3 6.8 6 0  1.7 4.0 7 0  3.7 6.1 5 1  3.3 6.3 7 1  4.2 7.7 6 1
3.5 6.2 5 1   2.9 5.7 9 0  2.1 4.8 7 1  2.8 6.2 8 0  4.0 7.0 7 1  3.3 5.7 6 1  3.7 6.9 5 1
3.6 6.6 5 1
"""
ALBUMIN, PROTEIN, SCORE, HELPED = np.array(WOMEN.split(), dtype=float).reshape(-1, 4).T
KG = 10 - SCORE

# How many of the 72 patients with a good outcome each of the 41 with a poor one exceeded in NDKA, a
# half for a tie: all that DeLong's variance takes from the aSAH data of the R package pROC (Turck
# et al. 2010), whose tests print the interval 0.501244999271703 to 0.722670989888189.
NDKA = [
    *(1, 3, 3, 3, 12, 18, 18, 20, 24, 24.5, 29, 31, 37, 37, 37, 38, 40, 45, 46.5, 49, 51, 51, 52),
    *(52, 54.5, 55, 55, 58, 62, 62, 62, 62, 64, 67, 67, 67, 67, 69, 70, 71, 72),
]


@pytest.mark.parametrize(
    ("scores", "area", "error"),
    [(ALBUMIN, 0.7366, 0.0927), (KG, 0.7258, 0.1028), (PROTEIN, 0.6478, 0.1000)],
)
def test_areas_and_errors_are_those_of_the_guide(
    scores: np.ndarray, area: float, error: float
) -> None:
    found = delong(HELPED, scores)
    assert found is not None
    assert (found[0], found[1] ** 0.5) == pytest.approx((area, error), abs=5e-5)


@pytest.mark.parametrize(
    ("scores", "difference", "low", "high", "p"),
    [(ALBUMIN, 0.0108, -0.1761, 0.1976, 0.9102), (PROTEIN, -0.0780, -0.2830, 0.1271, 0.4561)],
)
def test_comparisons_are_those_of_the_guide(
    scores: np.ndarray, difference: float, low: float, high: float, p: float
) -> None:
    found = delong_compare(HELPED, KG, scores)
    assert found is not None
    ends = (found.interval.low, found.interval.high)
    assert (found.difference, *ends, found.p) == pytest.approx((difference, low, high, p), abs=5e-5)


def test_the_variance_is_that_of_proc() -> None:
    poor = [count + 0.5 for count in NDKA]
    good = np.arange(1, 73)  # a count of k exceeds the k lowest, k + 1/2 ties with the next
    labels = np.repeat([1, 0], [41, 72])
    found = delong(labels, np.concatenate([poor, good]))
    assert found is not None
    area, reach = found[0], norm.ppf(0.975) * found[1] ** 0.5
    ends = [0.501244999271703, 0.611957994579946, 0.722670989888189]
    assert [area - reach, area, area + reach] == pytest.approx(ends, abs=1e-12)


def by_definition(labels: np.ndarray, scores: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Areas and their covariance matrix from all pairs, as equations 4 to 6 of the paper read."""
    positive, negative = ([s[labels == kind] for s in scores] for kind in (1, 0))
    kernels = [
        np.array([[(x > y) + (x == y) / 2 for y in low] for x in high])
        for high, low in zip(positive, negative, strict=True)
    ]
    of_cases = np.cov([kernel.mean(axis=1) for kernel in kernels]) / kernels[0].shape[0]
    of_controls = np.cov([kernel.mean(axis=0) for kernel in kernels]) / kernels[0].shape[1]
    return np.array([kernel.mean() for kernel in kernels]), of_cases + of_controls


@given(st.integers(0, 100_000))
@settings(max_examples=30, deadline=None)
def test_variances_are_as_defined_with_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array([0, 0, 1, 1, *rng.integers(0, 2, 12)])
    a, b = rng.integers(0, 6, (2, 16)) / 6
    areas, covariance = by_definition(labels, [a, b])
    assert delong(labels, a) == pytest.approx((areas[0], covariance[0, 0]))
    found = delong_compare(labels, a, b)
    assert found is not None
    assert found.difference == pytest.approx(areas[1] - areas[0])
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    reach = found.interval.high - found.difference
    assert reach == pytest.approx(norm.ppf(0.975) * max(variance, 0) ** 0.5, abs=1e-7)


def test_the_interval_is_symmetric_on_the_logit_scale_and_wider_with_confidence() -> None:
    area, variance = delong(HELPED, ALBUMIN) or (0.0, 0.0)
    found = delong_interval(HELPED, ALBUMIN)
    assert found is not None
    ends = logit([found.low, found.high])
    assert ends.mean() == pytest.approx(logit(area))
    assert np.diff(ends) / 2 == pytest.approx(1.959964 * variance**0.5 / (area * (1 - area)))
    wider = delong_interval(HELPED, ALBUMIN, confidence=0.99)
    assert wider is not None
    assert 0 < wider.low < found.low < found.high < wider.high < 1


def test_too_few_rows_and_perfect_order_have_no_interval() -> None:
    labels = np.array([0, 0, 1])
    assert delong(labels, np.array([0.1, 0.2, 0.3])) is None
    assert delong_compare(labels, np.arange(3) / 3, np.arange(3) / 3) is None
    labels, perfect = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    assert delong(labels, perfect) == (1.0, 0.0)
    assert delong_interval(labels, perfect) is None


def test_a_model_does_not_differ_from_itself() -> None:
    found = delong_compare(HELPED, KG, KG)
    assert found is not None
    assert (found.difference, found.p) == (0.0, 1.0)


def test_a_perfect_order_of_two_against_its_reverse_is_no_proof() -> None:
    labels, perfect = np.array([0, 0, 1, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    found = delong_compare(labels, perfect[::-1], perfect)
    assert found is not None
    assert (found.difference, found.interval.high) == (1.0, 1.0)
    assert found.p == pytest.approx(2 * norm.sf(2**0.5))
