"""Curves against scikit-learn and by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from trainer.metrics.curves import pr_curve, reliability, roc_curve
from trainer.metrics.figures import score_figures

_examples = settings(max_examples=30, deadline=None)
ROWS = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 9)), max_size=30).map(
    lambda rows: np.array([(0, 3), (1, 4), *rows]).T
)


@_examples
@given(ROWS)
def test_curves_are_those_of_scikit_learn(rows: np.ndarray) -> None:
    labels, probs = rows[0], rows[1] / 10
    false, true, thresholds = oracle.roc_curve(labels, probs, drop_intermediate=False)
    roc = roc_curve(labels, probs)
    assert roc is not None
    assert roc.false_positive_rate == pytest.approx(false)
    assert roc.sensitivity == pytest.approx(true)
    np.testing.assert_array_equal(roc.threshold, thresholds)
    precision, recall, thresholds = oracle.precision_recall_curve(labels, probs)
    curve = pr_curve(labels, probs)
    assert curve is not None
    assert curve.precision[::-1] == pytest.approx(precision[:-1])
    assert curve.recall[::-1] == pytest.approx(recall[:-1])
    np.testing.assert_array_equal(curve.threshold[::-1], thresholds)


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_alone_has_no_curve(only: int) -> None:
    labels, probs = np.full(3, only), np.array([0.1, 0.2, 0.3])
    assert roc_curve(labels, probs) is None
    assert pr_curve(labels, probs) is None
    assert reliability(labels, probs) is not None


def test_reliability_worked_by_hand() -> None:
    labels = np.array([1, 0, 0, 1, 1, 0])
    probs = np.array([0.9, 0.1, 0.2, 0.2, 0.8, 0.7])
    curve = reliability(labels, probs, bins=2)
    assert curve is not None
    assert curve.rows.tolist() == [3, 3]
    assert curve.positives.tolist() == [1, 2]
    assert curve.probability == pytest.approx([0.5 / 3, 0.8])
    assert curve.share == pytest.approx([1 / 3, 2 / 3])


def test_bins_that_ties_leave_empty_are_not_drawn() -> None:
    curve = reliability(np.array([1, 0, 0, 1]), np.full(4, 0.3))
    assert curve is not None
    assert curve.rows.tolist() == [4]
    assert reliability(np.empty(0, np.int64), np.empty(0)) is None


@_examples
@given(ROWS)
def test_the_error_of_equal_bins_is_the_distance_from_the_diagonal(rows: np.ndarray) -> None:
    labels, probs = rows[0], rows[1] / 10
    curve = reliability(labels, probs)
    assert curve is not None
    distance = np.abs(curve.probability - curve.share) @ curve.rows / curve.rows.sum()
    assert score_figures(labels, probs)["ece_mass"] == pytest.approx(distance)
