"""Ranking figures against scikit-learn, under weights and with ties, and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from trainer.metrics import ranking
from trainer.metrics.ranked import Draws, Ranked

_examples = settings(max_examples=30, deadline=None)
Rows = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]


@st.composite
def weighted_rows(draw: st.DrawFn) -> Rows:
    """Labels, scores with many ties, and three weightings in which both classes count."""
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    count = draw(st.integers(2, 25))
    labels = np.array([0, 1, *rng.integers(0, 2, count)])
    probs = rng.integers(0, draw(st.integers(1, 12)) + 1, count + 2) / 12
    weights = rng.integers(0, 4, (3, count + 2)).astype(float)
    weights[:, :2] += 1
    return labels, probs, weights


def draws_of(rows: Rows) -> Draws:
    labels, probs, weights = rows
    ranked = Ranked.of(labels, probs)
    return ranked.under(weights)


@_examples
@given(weighted_rows())
def test_auroc_is_that_of_scikit_learn(rows: Rows) -> None:
    labels, probs, weights = rows
    wanted = [oracle.roc_auc_score(labels, probs, sample_weight=w) for w in weights]
    assert ranking.auroc(draws_of(rows)) == pytest.approx(wanted)


@_examples
@given(weighted_rows())
def test_average_precision_is_that_of_scikit_learn(rows: Rows) -> None:
    labels, probs, weights = rows
    wanted = [oracle.average_precision_score(labels, probs, sample_weight=w) for w in weights]
    assert ranking.average_precision(draws_of(rows)) == pytest.approx(wanted)


@_examples
@given(weighted_rows(), st.sampled_from([0.5, 0.8, 0.9]))
def test_partial_auroc_is_that_of_scikit_learn(rows: Rows, specificity: float) -> None:
    labels, probs, weights = rows
    wanted = [
        oracle.roc_auc_score(labels, probs, sample_weight=w, max_fpr=1 - specificity)
        for w in weights
    ]
    assert ranking.partial_auroc(draws_of(rows), specificity) == pytest.approx(wanted)


@_examples
@given(weighted_rows())
def test_a_row_with_weight_is_as_many_rows(rows: Rows) -> None:
    labels, probs, weights = rows
    for figure in (
        lambda draws: ranking.sensitivity_at(draws, 0.9),
        lambda draws: ranking.specificity_at(draws, 0.9),
    ):
        repeated = [
            figure(Draws.once(np.repeat(labels, w), np.repeat(probs, w)))[0]
            for w in weights.astype(int)
        ]
        assert figure(draws_of(rows)) == pytest.approx(repeated)


def test_partial_auroc_worked_by_hand() -> None:
    # the ROC curve goes (0, 0), (0, 1/2), (1/2, 1/2), (1/2, 1), (1, 1): up to 1 - 0.8 its area
    # is 0.2 x 0.5; of at least 0.02 (chance) and at most 0.2 that is (0.1 - 0.02) / 0.18
    draws = Draws.once(np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6]))
    assert ranking.partial_auroc(draws, 0.8) == pytest.approx([(1 + 0.08 / 0.18) / 2])


def test_chance_is_a_half_in_every_area() -> None:
    draws = Draws.once(np.array([1, 0, 1, 0]), np.full(4, 0.3))
    assert ranking.auroc(draws) == [0.5]
    assert ranking.partial_auroc(draws, 0.8) == pytest.approx([0.5])


def test_operating_points_worked_by_hand() -> None:
    labels = np.array([0] * 10 + [1] * 5)
    draws = Draws.once(labels, np.array([*np.arange(10) / 20, 0.44, 0.43, 0.6, 0.7, 0.8]))
    # at specificity 0.9 the one negative at 0.45 may pass: all but the positive at 0.43 count
    # once the threshold is 0.44, and that one too at 0.43, still above the negative at 0.40
    assert ranking.sensitivity_at(draws, 0.9) == [1.0]
    assert ranking.sensitivity_at(draws, 1.0) == [0.6]
    assert ranking.specificity_at(draws, 0.9) == [0.9]
    assert ranking.specificity_at(draws, 0.6) == [1.0]


def test_a_rate_that_is_met_exactly_is_met_in_binary_too() -> None:
    assert 100 * 0.55 > 55  # a rounding, by which 55 of 100 would be too few
    labels = np.repeat([1, 0], 100)
    probs = np.where(np.arange(200) % 100 < 55, 0.9, np.where(labels == 1, 0.1, 0.5))
    assert ranking.specificity_at(Draws.once(labels, probs), 0.55) == pytest.approx([0.45])


@_examples
@given(st.integers(0, 10_000))
def test_operating_points_equal_a_search_over_all_thresholds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array([0, 1, *rng.integers(0, 2, 20)])
    probs = rng.integers(0, 8, 22) / 8  # with ties
    calls = [probs >= t for t in [*np.unique(probs), 2.0]]
    sensitivity = [c[labels == 1].mean() for c in calls]
    specificity = [1 - c[labels == 0].mean() for c in calls]
    pairs = list(zip(sensitivity, specificity, strict=True))
    draws = Draws.once(labels, probs)
    best = max(s for s, p in pairs if p >= 0.9 - 1e-9)
    assert ranking.sensitivity_at(draws, 0.9) == pytest.approx([best])
    best = max(p for s, p in pairs if s >= 0.9 - 1e-9)
    assert ranking.specificity_at(draws, 0.9) == pytest.approx([best])


@pytest.mark.parametrize("only", [0, 1])
def test_a_draw_of_one_class_defines_no_ranking(only: int) -> None:
    labels = np.array([0, 1, 0, 1])
    ranked = Ranked.of(labels, np.array([0.1, 0.2, 0.3, 0.4]))
    draws = ranked.under(np.stack([labels == only, labels < 2]))
    for values in (
        ranking.auroc(draws),
        ranking.average_precision(draws),
        ranking.partial_auroc(draws, 0.8),
        ranking.sensitivity_at(draws, 0.9),
        ranking.specificity_at(draws, 0.9),
    ):
        assert np.isnan(values).tolist() == [True, False]
