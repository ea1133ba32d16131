"""Figures of probabilities: scikit-learn, the definition of the RSNA metric, hand-worked bins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from trainer.metrics import probability
from trainer.metrics.ranked import Draws, Ranked

_examples = settings(max_examples=30, deadline=None)
SCORES = st.lists(
    st.tuples(st.integers(0, 1), st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=30
)


def weighted(rows: list[tuple[int, float, int]]) -> tuple[Draws, tuple[np.ndarray, ...]]:
    """One draw of the rows, the first of which counts, and its labels, scores and weights."""
    labels, probs, weights = (np.array(column) for column in zip(*rows, strict=True))
    weights[0] += 1
    ranked = Ranked.of(labels, probs)
    return ranked.under(weights[None]), (labels, probs, weights)


@_examples
@given(SCORES)
def test_brier_and_log_loss_are_those_of_scikit_learn(rows: list[tuple[int, float, int]]) -> None:
    draws, (labels, probs, weights) = weighted(rows)
    wanted = np.average((probs - labels) ** 2, weights=weights)
    assert probability.brier(draws) == pytest.approx([wanted])
    wanted = oracle.log_loss(labels, probs, sample_weight=weights, labels=[0, 1])
    assert probability.log_loss(draws) == pytest.approx([wanted])


def test_a_certain_mistake_costs_a_finite_log_loss() -> None:
    draws = Draws.once(np.array([1, 0]), np.array([0.0, 1.0]))
    assert probability.log_loss(draws) == pytest.approx([52 * np.log(2)])


def pf1(labels: np.ndarray, probs: np.ndarray, beta: float = 1.0) -> float:
    return float(probability.probabilistic_f(Draws.once(labels, probs), beta)[0])


def by_definition(labels: list[int], probs: list[float], beta: float = 1.0) -> float:
    """The metric of RSNA 2023, step by step as its definition reads."""
    cancers = correct = false = 0.0
    for label, prob in zip(labels, probs, strict=True):
        p = min(max(prob, 0.0), 1.0)
        if label:
            cancers += 1
            correct += p
        else:
            false += p
    if cancers == 0 or correct + false == 0:
        return 0.0
    precision, recall = correct / (correct + false), correct / cancers
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


@_examples
@given(
    st.lists(st.tuples(st.integers(0, 1), st.floats(-0.5, 1.5)), min_size=1, max_size=20),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_pf1_is_as_defined(pairs: list[tuple[int, float]], beta: float) -> None:
    labels, probs = (list(column) for column in zip(*pairs, strict=True))
    found = pf1(np.array(labels), np.array(probs), beta)
    assert np.isnan(found) == (sum(labels) == 0)  # its 0 there says nothing about a model
    assert np.nan_to_num(found) == pytest.approx(by_definition(labels, probs, beta))


def test_pf1_worked_by_hand() -> None:
    labels, probs = np.array([1, 1, 0, 0]), np.array([0.8, 0.4, 0.3, 0.1])
    # true mass 1.2, false mass 0.4: precision 0.75, recall 0.6, F1 2 * 0.45 / 1.35
    assert pf1(labels, probs) == pytest.approx(2 / 3)
    # beta 2: 5 * 0.45 / (4 * 0.75 + 0.6)
    assert pf1(labels, probs, beta=2) == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("labels", "probs", "expected"),
    [
        ([1, 0], [0.0, 0.0], 0.0),  # no mass at all
        ([1, 0], [0.0, 0.7], 0.0),  # no true mass
        ([1, 1], [1.0, 1.0], 1.0),
        ([1, 0], [1.7, -0.2], 1.0),  # clipped to [0, 1]
    ],
)
def test_pf1_at_its_edges(labels: list[int], probs: list[float], expected: float) -> None:
    assert pf1(np.array(labels), np.array(probs)) == expected


@_examples
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_pf1_of_decisions_is_the_f1_score(pairs: list[tuple[int, int]]) -> None:
    labels, decisions = np.array([(1, 0), *pairs]).T
    expected = oracle.f1_score(labels, decisions, zero_division=0.0)
    assert pf1(labels, decisions.astype(float)) == pytest.approx(expected)


def test_bins_of_equal_width_worked_by_hand() -> None:
    labels = np.array([0, 1, 1, 1, 0])
    probs = np.array([0.1, 0.3, 0.6, 0.8, 1.0])  # 1.0 belongs to the last bin
    # two bins: mean 0.2 against a share of 1/2, over 2 of 5; 0.8 against 2/3, over 3 of 5
    wanted = 2 / 5 * 0.3 + 3 / 5 * (0.8 - 2 / 3)
    assert probability.calibration_error(Draws.once(labels, probs), 2) == pytest.approx([wanted])


def test_bins_of_equal_mass_worked_by_hand() -> None:
    labels = np.array([0, 0, 1, 0, 1, 1])
    probs = np.array([0.01, 0.02, 0.03, 0.03, 0.04, 0.05])
    # two bins of three: those below rank 3, where the tie at 0.03 stays together, and the rest
    assert probability.equal_bins(probs, 2).tolist() == [0, 0, 0, 0, 1, 1]
    wanted = 4 / 6 * abs(1 / 4 - 0.0225) + 2 / 6 * (1 - 0.045)
    found = probability.calibration_error_of_equal_bins(Draws.once(labels, probs), 2)
    assert found == pytest.approx([wanted])


@_examples
@given(SCORES)
def test_calibration_errors_equal_a_walk_over_the_bins(rows: list[tuple[int, float, int]]) -> None:
    draws, (labels, probs, weights) = weighted(rows)
    ways = {
        probability.calibration_error: [min(int(p * 15), 14) for p in probs],
        probability.calibration_error_of_equal_bins: [
            sum(q < p for q in probs) * 15 // len(probs) for p in probs
        ],
    }
    for figure, bins in ways.items():
        gaps: dict[int, float] = {}
        for place, label, prob, weight in zip(bins, labels, probs, weights, strict=True):
            gaps[place] = gaps.get(place, 0.0) + weight * (label - prob)
        wanted = sum(abs(gap) for gap in gaps.values()) / weights.sum()
        assert figure(draws) == pytest.approx([wanted], abs=1e-12)


def test_at_screening_prevalence_only_equal_mass_sees_the_order() -> None:
    """Scores below 1/15 all fall in one bin of equal width, and their errors cancel out there."""
    probs = np.repeat([0.01, 0.05], 500)
    labels = np.tile([1] * 15 + [0] * 485, 2)  # 3 % of either, not 1 % and 5 %
    draws = Draws.once(labels, probs)
    assert probability.calibration_error(draws) == pytest.approx([0.0], abs=1e-12)
    assert probability.calibration_error_of_equal_bins(draws) == pytest.approx([0.02])
