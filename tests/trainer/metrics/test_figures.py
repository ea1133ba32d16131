import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from dali_pipelines.errors import DatasetError
from trainer.metrics.figures import (
    evaluate_scores,
    pf1,
    score_figures,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)


def _scores(rows: list[tuple[str, str, float, int | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "laterality", "prob", "cancer"])
    return frame.astype({"cancer": "Int8"})


def test_pf1_worked_by_hand() -> None:
    labels, probs = np.array([1, 1, 0, 0]), np.array([0.8, 0.4, 0.3, 0.1])
    # true mass 1.2, false mass 0.4: precision 0.75, recall 0.6, F1 2 * 0.45 / 1.35
    assert pf1(labels, probs) == pytest.approx(2 / 3)
    # beta 2: 5 * 0.45 / (4 * 0.75 + 0.6)
    assert pf1(labels, probs, beta=2) == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("labels", "probs", "expected"),
    [
        ([0, 0], [0.5, 0.5], 0.0),  # no positive
        ([1, 0], [0.0, 0.0], 0.0),  # no mass at all
        ([1, 0], [0.0, 0.7], 0.0),  # no true mass
        ([1, 1], [1.0, 1.0], 1.0),
        ([1, 0], [1.7, -0.2], 1.0),  # clipped to [0, 1]
    ],
)
def test_pf1_at_its_edges(labels: list[int], probs: list[float], expected: float) -> None:
    assert pf1(np.array(labels), np.array(probs)) == expected


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_pf1_of_decisions_is_the_f1_score(pairs: list[tuple[int, int]]) -> None:
    labels, decisions = np.array(pairs).T
    expected = oracle.f1_score(labels, decisions, zero_division=0.0)
    assert pf1(labels, decisions.astype(float)) == pytest.approx(expected)


def test_operating_points_worked_by_hand() -> None:
    labels = np.array([0] * 10 + [1] * 5)
    probs = np.array([*np.arange(10) / 20, 0.44, 0.43, 0.6, 0.7, 0.8])
    # at specificity 0.9 the one negative at 0.45 may pass: all but the positive at 0.43 count
    # once the threshold is 0.44, and that one too at 0.43, still above the negative at 0.40
    assert sensitivity_at_specificity(labels, probs, 0.9) == 1.0
    assert sensitivity_at_specificity(labels, probs, 1.0) == 0.6
    assert specificity_at_sensitivity(labels, probs, 0.9) == 0.9
    assert specificity_at_sensitivity(labels, probs, 0.6) == 1.0


@given(st.integers(0, 10_000))
def test_operating_points_equal_a_search_over_all_thresholds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.array([0, 1, *rng.integers(0, 2, 20)])
    probs = rng.integers(0, 8, 22) / 8  # with ties
    calls = [probs >= t for t in [*np.unique(probs), 2.0]]
    sensitivity = [c[labels == 1].mean() for c in calls]
    specificity = [1 - c[labels == 0].mean() for c in calls]
    pairs = list(zip(sensitivity, specificity, strict=True))
    best = max(s for s, p in pairs if p >= 0.9 - 1e-9)
    assert sensitivity_at_specificity(labels, probs, 0.9) == pytest.approx(best)
    best = max(p for s, p in pairs if s >= 0.9 - 1e-9)
    assert specificity_at_sensitivity(labels, probs, 0.9) == pytest.approx(best)


def test_figures_equal_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 200)
    probs = np.clip(rng.normal(0.3 + 0.3 * labels, 0.3), 0, 1)
    figures = score_figures(labels, probs)
    assert figures["n"] == 200
    assert figures["npos"] == labels.sum()
    assert figures["auroc"] == oracle.roc_auc_score(labels, probs)
    assert figures["auprc"] == oracle.average_precision_score(labels, probs)
    assert figures["brier"] == pytest.approx(oracle.brier_score_loss(labels, probs))
    assert figures["logloss"] == oracle.log_loss(labels, probs)
    assert all(type(figures[name]) is float for name in figures.keys() - {"n", "npos"})


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_alone_defines_no_ranking(only: int) -> None:
    figures = score_figures(np.array([only] * 3), np.array([0.2, 0.5, 0.9]))
    undefined = {name for name, value in figures.items() if value is None}
    ranking = {"auroc", "auprc", "sens_at_spec90", "spec_at_sens90"}
    assert undefined == ranking | ({"pf1"} if only == 0 else set())
    assert figures["npos"] == 3 * only


def test_levels_are_evaluated_each_on_its_own_labels() -> None:
    scores = _scores(
        [
            ("A", "L", 0.9, 1),
            ("A", "L", 0.1, 0),  # the breast is positive all the same
            ("A", "R", 0.6, 0),
            ("B", "L", 0.4, 0),
            ("B", "R", 0.3, None),  # not known, not counted
        ]
    )
    figures = evaluate_scores(scores)
    assert [figures[f"{level}/n"] for level in ("image", "breast", "patient")] == [4, 3, 2]
    assert [figures[f"{level}/npos"] for level in ("image", "breast", "patient")] == [1, 1, 1]
    assert figures["image/auroc"] == 1.0
    assert figures["breast/auroc"] == 0.5  # 0.5 lies between 0.6 and 0.4
    assert figures["patient/auroc"] == 1.0
    assert figures["image/pf1"] == pytest.approx(2 * 0.45 * 0.9 / (0.45 + 0.9))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (_scores([("A", "L", 0.5, 1)]).drop(columns="cancer"), "lack cancer.*--labels"),
        (_scores([("A", "L", 0.5, None)]), "no prediction has a label"),
        (_scores([("A", "L", 0.5, 2)]), "must hold 0 or 1"),
        (_scores([("A", "L", 1.5, 1)]), "probabilities from 0 to 1"),
        (_scores([("A", "L", float("nan"), 1)]), "probabilities from 0 to 1"),
    ],
)
def test_what_cannot_be_evaluated_is_said(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        evaluate_scores(frame)
