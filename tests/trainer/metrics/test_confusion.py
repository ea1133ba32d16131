"""Figures of decisions against scikit-learn, and where they are not defined."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from trainer.metrics.confusion import Confusion
from trainer.metrics.ranked import Draws, Ranked

_examples = settings(max_examples=30, deadline=None)


@_examples
@given(st.integers(0, 100_000))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array([0, 1, 1, *rng.integers(0, 2, 20)])
    probs = np.array([0.9, 0.9, 0.1, *rng.integers(0, 5, 20) / 4])
    weights = rng.integers(0, 4, 23) + (np.arange(23) < 3)
    ranked = Ranked.of(labels, probs)
    counts = Confusion.of(ranked.under(weights[None]), 0.5)
    truth = {"y_true": labels, "y_pred": probs >= 0.5, "sample_weight": weights}
    tn, fp, fn, tp = oracle.confusion_matrix(**truth).ravel()
    assert [counts.tp, counts.fp, counts.fn, counts.tn] == [[tp], [fp], [fn], [tn]]
    assert counts.precision() == pytest.approx([oracle.precision_score(**truth)])
    assert counts.recall() == pytest.approx([oracle.recall_score(**truth)])
    assert counts.specificity() == pytest.approx([oracle.recall_score(**truth, pos_label=0)])
    for beta in (0.5, 1.0, 2.0):
        wanted = oracle.fbeta_score(**truth, beta=beta)
        assert counts.f_score(beta) == pytest.approx([wanted])


def test_a_score_at_the_threshold_is_a_finding() -> None:
    counts = Confusion.of(Draws.once(np.array([1, 0]), np.array([0.3, 0.3])), 0.3)
    assert (counts.tp, counts.fp, counts.fn, counts.tn) == (1, 1, 0, 0)


def test_what_has_no_denominator_is_not_defined() -> None:
    none_found = Confusion.of(Draws.once(np.array([1, 0]), np.array([0.3, 0.2])), 0.5)
    assert np.isnan(none_found.precision())
    assert none_found.f_score(1.0) == [0.0]  # the cancer was missed: that is known
    healthy = Confusion.of(Draws.once(np.array([0, 0]), np.array([0.3, 0.2])), 0.25)
    assert np.isnan(healthy.recall())
    assert np.isnan(healthy.f_score(1.0))
    assert healthy.specificity() == [0.5]
    sick = Confusion.of(Draws.once(np.array([1, 1]), np.array([0.3, 0.2])), 0.25)
    assert np.isnan(sick.specificity())
