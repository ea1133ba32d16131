from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.aggregation.policy import Aggregation
from trainer.decisions.decision import Decision, choose_decision
from trainer.ensembles.candidates import find_candidates
from trainer.ensembles.groups import most_groups, outer_groups
from trainer.ensembles.judged import judge_decision
from trainer.ensembles.level_scores import Choice, LevelScores
from trainer.ensembles.nested import nested_choice
from trainer.ensembles.pool import build_pool
from trainer.metrics.figures import score_figures

Runs = Callable[..., list[Path]]


def test_groups_share_folds_and_classes_and_part_no_patient() -> None:
    patients = np.repeat([f"p{n}" for n in range(200)], 2)
    labels = np.zeros(400, np.int64)
    labels[::20] = 1  # one breast of every tenth patient
    folds = np.repeat(np.arange(200) // 2 % 5, 2)
    groups = outer_groups(patients, labels, folds, 4, seed=1)
    assert set(groups) == {0, 1, 2, 3}
    assert all(len(set(groups[patients == name])) == 1 for name in patients)
    assert np.bincount(groups[labels == 1]).tolist() == [5, 5, 5, 5]
    for fold in range(5):
        counts = np.bincount(groups[folds == fold], minlength=4)
        assert counts.max() - counts.min() <= 4  # a patient or two, of two rows each
    again = outer_groups(patients, labels, folds, 4, seed=1)
    assert (groups == again).all()
    assert (groups != outer_groups(patients, labels, folds, 4, seed=2)).any()


def test_with_few_positives_there_are_fewer_groups() -> None:
    patients = np.array(["a", "a", "b", "c", "d", "e"])
    assert most_groups(patients, np.array([1, 0, 1, 1, 0, 0])) == 3
    assert most_groups(patients, np.array([1, 1, 0, 0, 0, 0])) == 1
    assert most_groups(patients, np.zeros(6, np.int64)) == 0


@given(
    rows=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 1)), min_size=4, max_size=24),
    seed=st.integers(0, 9),
)
def test_outside_of_any_group_are_both_classes(rows: list[tuple[int, int]], seed: int) -> None:
    patients = np.array([f"p{patient}" for patient, _ in rows])
    labels = np.array([label for _, label in rows])
    groups = most_groups(patients, labels)
    assume(groups >= 2)
    found = outer_groups(patients, labels, np.zeros(len(rows), np.int64), groups, seed)
    for group in range(groups):
        assert set(labels[found != group]) == {0, 1}


def test_women_who_all_have_cancer_in_one_breast_can_be_nested(runs: Runs) -> None:
    pool = build_pool(find_candidates(runs([1.0], patients=12)))
    pool.images["cancer"] = (pool.images["laterality"] == "L").astype(int)
    scores = LevelScores(pool, "breast", Aggregation(), "prob")
    nested = nested_choice(scores, lambda _: ((0, 1, 2), Decision("breast", "f1", 0.5)), 5, 0)
    assert nested is not None
    assert len(nested.choices) == 5


@pytest.fixture
def scores(runs: Runs) -> LevelScores:
    pool = build_pool(find_candidates(runs([1.0, 0.5])))
    return LevelScores(pool, "breast", Aggregation(), "prob")


def test_each_group_is_judged_by_what_was_chosen_without_it(scores: LevelScores) -> None:
    asked: list[NDArray[np.bool_]] = []
    choices: list[Choice] = [(0, 1, 2), (3, 4, 5), (0, 1, 2, 3, 4, 5)]

    def choose(rows: NDArray[np.bool_]) -> tuple[Choice, Decision]:
        asked.append(rows)
        return choices[len(asked) - 1], Decision("breast", "f1", 0.1 * len(asked))

    nested = nested_choice(scores, choose, groups=3, seed=0)
    assert nested is not None
    assert nested.choices == tuple(choices)
    left_out = ~np.array(asked)
    assert (left_out.sum(axis=0) == 1).all()  # each row is judged once
    judged = nested.judged
    ends = np.cumsum(left_out.sum(axis=1))
    for group, (choice, end) in enumerate(zip(choices, ends, strict=True)):
        rows = slice(end - left_out[group].sum(), end)
        own = left_out[group]
        assert not set(scores.patients[own]) & set(scores.patients[~own])
        np.testing.assert_array_equal(judged.probs[rows], scores.probs(choice)[own])
        np.testing.assert_array_equal(judged.labels[rows], scores.labels[own])
        positive = scores.probs(choice)[own] >= 0.1 * (group + 1)
        np.testing.assert_array_equal(judged.positive[rows], positive)
        images = scores.pool.images["patient_id"].isin(scores.patients[own]).to_numpy()
        np.testing.assert_array_equal(nested.logits[images], scores.image_logits(choice)[images])


def test_too_few_patients_of_a_class_cannot_be_nested(runs: Runs) -> None:
    pool = build_pool(find_candidates(runs([1.0], patients=6)))
    pool.images["cancer"] = (pool.images["patient_id"] == "p0").astype(int)
    scores = LevelScores(pool, "breast", Aggregation(), "prob")
    assert (
        nested_choice(scores, lambda _rows: ((0, 1, 2), Decision("breast", "f1", 0.5)), 5, 0)
        is None
    )


def test_figures_are_of_scores_risks_and_decisions(scores: LevelScores) -> None:
    probs = scores.probs((0, 1, 2))
    decision = choose_decision("breast", probs, scores.labels, "youden", "platt")
    judged = judge_decision(decision, scores.labels, scores.patients, probs)
    found = judged.figures()
    of_scores = score_figures(scores.labels, probs, decision.threshold)
    assert found.keys() == of_scores.keys()
    of_risks = score_figures(scores.labels, judged.risks)
    risky = ("brier", "logloss", "ece", "ece_mass")
    assert found == {**of_scores, **{name: of_risks[name] for name in risky}}
    assert found["logloss"] != of_scores["logloss"]
    intervals = judged.intervals(repeats=50, seed=0)
    assert intervals.keys() == found.keys() - {"n", "npos", "tp", "fp", "fn", "tn"}
    for name in ("auroc", "logloss", "f1", "recall"):
        interval, value = intervals[name], found[name]
        assert interval is not None
        assert value is not None
        assert interval.low < value < interval.high
