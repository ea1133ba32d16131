import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from dali_pipelines.errors import ConfigError
from trainer.aggregation.levels import aggregate
from trainer.aggregation.policy import Aggregation
from trainer.ensembles.candidates import find_candidates
from trainer.ensembles.choose import Choosing, Method, choose
from trainer.ensembles.combine import combine
from trainer.ensembles.level_scores import Choice, LevelScores
from trainer.ensembles.objective import parse_objective
from trainer.ensembles.pool import build_pool
from trainer.metrics.figures import score_figures

Runs = Callable[..., list[Path]]
AUROC = parse_objective("breast/auroc", "f1")


def scores_of(runs: list[Path]) -> LevelScores:
    return LevelScores(build_pool(find_candidates(runs)), "breast", Aggregation(), "prob")


def chosen(scores: LevelScores, choosing: Choosing, objective: str = "breast/auroc") -> Choice:
    rows = np.ones(len(scores.labels), np.bool_)
    return choose(scores, parse_objective(objective, "f1"), rows, choosing)


def all_choices(scores: LevelScores) -> Iterator[Choice]:
    """Every set of candidates with one or more of every fold, by brute force."""
    members = range(len(scores.pool.folds))
    for size in range(1, len(members) + 1):
        for choice in itertools.combinations(members, size):
            if {scores.pool.folds[member] for member in choice} == set(scores.folds):
                yield choice


def test_the_scores_of_a_choice_are_those_of_its_images_together(runs: Runs) -> None:
    scores = scores_of(runs([1.0, 0.5]))
    choice = (0, 1, 1, 3, 5)
    pool = scores.pool
    logits = combine(pool.logits[:, [0, 1, 3, 5]], np.array([1.0, 2.0, 1.0, 1.0]))
    table = aggregate(pool.images.assign(prob=expit(logits)), "breast")
    keys = ["fold", "patient_id", "exam_id", "laterality"]
    table = table.sort_values(keys, ignore_index=True)
    np.testing.assert_array_equal(scores.probs(choice), table["prob"])
    np.testing.assert_array_equal(scores.labels, table["cancer"])
    np.testing.assert_array_equal(scores.patients, table["patient_id"])
    np.testing.assert_array_equal(scores.row_folds, table["fold"])
    np.testing.assert_array_equal(scores.image_logits(choice), logits)


def test_exhaustive_is_the_best_of_all(runs: Runs) -> None:
    scores = scores_of(runs([0.4, 0.3], patients=30))
    worth = {
        choice: AUROC.worth(scores.labels, scores.probs(choice)) for choice in all_choices(scores)
    }
    assert len(worth) == 3**3
    best = chosen(scores, Choosing("exhaustive"))
    assert worth[best] == max(worth.values())
    greedy = chosen(scores, Choosing("greedy"))
    assert greedy in worth  # every fold is in it
    neighbors = [c for c in worth if len(set(c) ^ set(greedy)) == 1]
    assert worth[greedy] >= max(worth[c] for c in neighbors) - 1e-9


def test_of_equals_the_one_with_fewer_members_is_taken(runs: Runs) -> None:
    first, second = runs([1.0, 0.0])
    for fold in range(3):  # the same scores twice
        twin = (first / f"fold-{fold}/oof.csv").read_text()
        (second / f"fold-{fold}/oof.csv").write_text(twin)
    scores = scores_of([first, second])
    assert chosen(scores, Choosing("exhaustive")) == (0, 1, 2)
    assert chosen(scores, Choosing("greedy")) == (0, 1, 2)


@pytest.mark.parametrize("method", ["greedy", "exhaustive"])
def test_noise_is_left_out(runs: Runs, method: Method) -> None:
    scores = scores_of(runs([0.0, 3.0], patients=120))
    assert chosen(scores, Choosing(method)) == (3, 4, 5)
    assert chosen(scores, Choosing("all")) == tuple(range(6))


@pytest.mark.parametrize("method", ["greedy", "exhaustive"])
def test_the_members_of_a_fold_can_be_bounded(runs: Runs, method: Method) -> None:
    scores = scores_of(runs([0.6, 0.5, 0.4], patients=30))
    choice = chosen(scores, Choosing(method, per_fold=1))
    assert sorted(scores.pool.folds[list(choice)]) == [0, 1, 2]


def test_one_may_be_chosen_again_to_weigh_more(runs: Runs) -> None:
    scores = scores_of(runs([0.8, 0.7, 0.2], patients=30, seed=5))
    once = chosen(scores, Choosing("greedy"))
    again = chosen(scores, Choosing("greedy", weighted=True))
    assert len(set(again)) < len(again)
    assert AUROC.worth(scores.labels, scores.probs(again)) > AUROC.worth(
        scores.labels, scores.probs(once)
    )


def test_what_is_less_when_better_is_made_small(runs: Runs) -> None:
    scores = scores_of(runs([2.0, 0.0], patients=30))
    losses = {
        choice: score_figures(scores.labels, scores.probs(choice))["logloss"]
        for choice in all_choices(scores)
    }
    best = chosen(scores, Choosing("exhaustive"), "breast/logloss")
    assert losses[best] == min(losses.values())


def test_only_the_rows_that_are_given_count(runs: Runs) -> None:
    good, noise = runs([3.0, 0.0], patients=120)
    scores = scores_of([good, noise])
    rows = scores.row_folds != 1
    choice = choose(scores, AUROC, rows, Choosing("exhaustive"))
    assert [member for member in choice if scores.pool.folds[member] != 1] == [0, 2]
    none = np.zeros(len(scores.labels), np.bool_)  # nothing to tell them apart by
    assert choose(scores, AUROC, none, Choosing("greedy")) == (0, 1, 2)
    assert choose(scores, AUROC, none, Choosing("exhaustive")) == (0, 1, 2)


def test_too_many_choices_are_refused_before_any_is_tried(runs: Runs) -> None:
    scores = scores_of(runs([1.0] * 5, patients=24))
    with pytest.raises(ConfigError, match="29,791 choices are too many"):
        chosen(scores, Choosing("exhaustive"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("breast/aurocc", "Did you mean 'breast/auroc'"),
        ("auroc", "LEVEL/FIGURE"),
        ("planet/auroc", "no figure"),
        ("breast/npos", "no figure"),
        ("val/breast/auroc", "no figure"),
    ],
)
def test_what_is_no_objective_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_objective(text, "f1")
    with pytest.raises(ConfigError, match="no rule"):
        parse_objective("breast/auroc", "best")


def test_a_figure_of_decisions_is_judged_at_the_threshold_of_the_rule() -> None:
    labels, probs = np.array([0, 1, 0, 1]), np.array([0.1, 0.2, 0.3, 0.4])
    assert parse_objective("breast/f1", "spec100").worth(labels, probs) == pytest.approx(2 / 3)
    assert parse_objective("breast/f1", "f1").worth(labels, probs) == pytest.approx(0.8)
    assert parse_objective("breast/f1", "f1").worth(labels * 0, probs) == -np.inf
    assert str(parse_objective("breast/f1", "f1")) == "breast/f1"
