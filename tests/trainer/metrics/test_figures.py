import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from dali_pipelines.errors import DatasetError
from trainer.aggregation.policy import Aggregation
from trainer.metrics.figures import (
    CONFUSION_COUNTS,
    SCORE_FIGURES,
    THRESHOLD_FIGURES,
    evaluate_scores,
    figures_of_draws,
    score_figures,
)
from trainer.metrics.ranked import Draws


def _scores(rows: list[tuple[str, str, float, int | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["patient_id", "laterality", "prob", "cancer"])
    return frame.astype({"cancer": "Int8"})


def test_figures_equal_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 200)
    probs = np.clip(rng.normal(0.3 + 0.3 * labels, 0.3), 0, 1)
    figures = score_figures(labels, probs, threshold=0.5)
    decided = probs >= 0.5
    wanted = {
        "auroc": oracle.roc_auc_score(labels, probs),
        "auprc": oracle.average_precision_score(labels, probs),
        "pauc_spec80": oracle.roc_auc_score(labels, probs, max_fpr=0.2),
        "brier": oracle.brier_score_loss(labels, probs),
        "logloss": oracle.log_loss(labels, probs),
        "precision": oracle.precision_score(labels, decided),
        "recall": oracle.recall_score(labels, decided),
        "specificity": oracle.recall_score(labels, decided, pos_label=0),
        "f1": oracle.f1_score(labels, decided),
        "f0.5": oracle.fbeta_score(labels, decided, beta=0.5),
        "f2": oracle.fbeta_score(labels, decided, beta=2),
    }
    assert {name: figures[name] for name in wanted} == pytest.approx(wanted)
    counts = oracle.confusion_matrix(labels, decided).ravel().tolist()
    assert [figures[name] for name in ("tn", "fp", "fn", "tp")] == counts
    assert (figures["n"], figures["npos"]) == (200, labels.sum())
    whole = {"n", "npos", *CONFUSION_COUNTS}
    assert all(type(figures[name]) is int for name in whole)
    assert all(type(figures[name]) is float for name in figures.keys() - whole)


def test_only_a_threshold_brings_the_figures_of_decisions() -> None:
    labels, probs = np.array([0, 1]), np.array([0.2, 0.3])
    assert list(score_figures(labels, probs)) == ["n", "npos", *SCORE_FIGURES]
    of_decisions = [*THRESHOLD_FIGURES, *CONFUSION_COUNTS]
    assert list(score_figures(labels, probs, 0.5))[2:] == [*SCORE_FIGURES, *of_decisions]


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), max_size=20))
def test_a_figure_is_a_number_in_its_range_or_none(rows: list[tuple[int, float]]) -> None:
    labels, probs = np.array(rows).reshape(-1, 2).T
    for name, value in score_figures(labels.astype(int), probs, 0.5).items():
        if name in {"n", "npos", *CONFUSION_COUNTS}:
            assert isinstance(value, int)
        elif value is not None:
            assert 0 <= value <= (37 if name == "logloss" else 1)  # 37 > -log(2^-52)


def test_no_rows_define_nothing() -> None:
    figures = score_figures(np.empty(0, np.int64), np.empty(0), 0.5)
    assert {name for name, value in figures.items() if value is not None} == {
        "n", "npos", *CONFUSION_COUNTS,
    }  # fmt: skip
    assert figures["n"] == 0


def test_a_figure_that_does_not_exist_is_our_mistake() -> None:
    draws = Draws.once(np.array([0, 1]), np.array([0.2, 0.3]))
    for name in ("acuracy", "f1"):
        with pytest.raises(ValueError, match="no figure"):
            figures_of_draws(draws, [name])


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_alone_defines_no_ranking(only: int) -> None:
    figures = score_figures(np.array([only] * 3), np.array([0.2, 0.5, 0.9]))
    undefined = {name for name, value in figures.items() if value is None}
    ranking = {"auroc", "auprc", "pauc_spec80"}
    ranking |= {"sens_at_spec90", "sens_at_spec80", "spec_at_sens90"}
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


def test_the_aggregation_is_that_which_is_asked_for() -> None:
    scores = _scores([("A", "L", 0.9, 1), ("A", "L", 0.1, 1), ("B", "L", 0.6, 0)])
    assert evaluate_scores(scores)["breast/auroc"] == 0.0  # 0.5 against 0.6
    assert evaluate_scores(scores, Aggregation(views="max"))["breast/auroc"] == 1.0


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (_scores([("A", "L", 0.5, 1)]).drop(columns="cancer"), "lack cancer.*--manifest"),
        (_scores([("A", "L", 0.5, None)]), "no prediction has a label"),
        (_scores([("A", "L", 0.5, 2)]), "must hold 0 or 1"),
        (_scores([("A", "L", 1.5, 1)]), "probabilities from 0 to 1"),
        (_scores([("A", "L", float("nan"), 1)]), "probabilities from 0 to 1"),
    ],
)
def test_what_cannot_be_evaluated_is_said(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        evaluate_scores(frame)
