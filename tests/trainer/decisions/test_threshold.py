"""Thresholds against a search over all of them in whole numbers, and by hand."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from trainer.aggregation.policy import Aggregation
from trainer.decisions.rules import parse_rule
from trainer.decisions.threshold import choose_threshold, threshold_of

Labeled = list[tuple[int, int]]  # score in 16ths, label

LABELED = st.lists(
    st.tuples(st.integers(0, 16), st.integers(0, 1)), min_size=2, max_size=30
).filter(lambda rows: 0 < sum(label for _, label in rows) < len(rows))

#        score  0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8
LABELS = np.array([0, 0, 1, 0, 0, 1, 0, 1])
PROBS = np.arange(1, 9) / 10


def chosen(
    rule: str, probs: NDArray[np.float64] = PROBS, labels: NDArray[np.int64] = LABELS
) -> float:
    threshold = choose_threshold(parse_rule(rule), probs, labels)
    assert threshold is not None
    return threshold


def counts(rows: Labeled, cut: float) -> tuple[int, int, int, int]:
    """tp, fp, fn, tn of scores >= cut, in 16ths."""
    tp = sum(label for score, label in rows if score >= cut)
    fp = sum(1 - label for score, label in rows if score >= cut)
    positives = sum(label for _, label in rows)
    return tp, fp, positives - tp, len(rows) - positives - fp


def cuts(rows: Labeled) -> list[int]:
    """All thresholds that make a difference, the least first; 17 is above all."""
    return sorted({score for score, _ in rows} | {17})


def apply(rule: str, rows: Labeled) -> tuple[int, int, int, int]:
    scores, labels = np.array(rows).T
    return counts(rows, chosen(rule, scores / 16, labels) * 16)


def least_best(rows: Labeled, worth: dict[int, Fraction]) -> int:
    return min(cut for cut in cuts(rows) if worth[cut] == max(worth.values()))


@given(beta=st.sampled_from([Fraction(1, 2), Fraction(1), Fraction(2)]), rows=LABELED)
def test_f_is_the_greatest_and_the_threshold_the_least_of_equals(
    beta: Fraction, rows: Labeled
) -> None:
    worth = {}
    for cut in cuts(rows):
        tp, fp, fn, _ = counts(rows, cut)
        worth[cut] = (1 + beta**2) * tp / ((1 + beta**2) * tp + beta**2 * fn + fp)
    wanted = counts(rows, least_best(rows, worth))
    assert apply(f"f{float(beta):g}", rows) == wanted


@given(rows=LABELED)
def test_youden_is_the_greatest(rows: Labeled) -> None:
    worth = {}
    for cut in cuts(rows):
        tp, fp, fn, tn = counts(rows, cut)
        worth[cut] = Fraction(tp, tp + fn) + Fraction(tn, tn + fp) - 1
    assert apply("youden", rows) == counts(rows, least_best(rows, worth))


@given(percent=st.sampled_from([50, 80, 90, 100]), rows=LABELED)
def test_spec_is_the_least_and_sens_the_greatest_that_will_do(percent: int, rows: Labeled) -> None:
    share = Fraction(percent, 100)
    all_counts = {cut: counts(rows, cut) for cut in cuts(rows)}
    specific = [c for c, (_, fp, _, tn) in all_counts.items() if Fraction(tn, tn + fp) >= share]
    sensitive = [c for c, (tp, _, fn, _) in all_counts.items() if Fraction(tp, tp + fn) >= share]
    assert apply(f"spec{percent}", rows) == all_counts[min(specific)]
    assert apply(f"sens{percent}", rows) == all_counts[max(sensitive)]


@given(rows=LABELED)
def test_prior_calls_as_many_as_it_can_without_parting_equals(rows: Labeled) -> None:
    positives = sum(label for _, label in rows)
    called = {cut: Fraction(-abs(sum(counts(rows, cut)[:2]) - positives)) for cut in cuts(rows)}
    assert apply("prior", rows) == counts(rows, least_best(rows, called))


@given(rows=LABELED)
def test_the_grid_is_searched_and_of_equals_the_nearest_to_a_half_is_taken(rows: Labeled) -> None:
    scores, labels = np.array(rows).T
    found = chosen("grid", scores / 16, labels)

    def f1(percent: int) -> Fraction:
        tp, fp, fn, _ = counts(rows, 16 * percent / 100)
        return Fraction(2 * tp, 2 * tp + fp + fn)

    values = [f1(k) for k in range(101)]
    best = [k for k in range(101) if values[k] == max(values)]
    assert abs(found - 0.5) == pytest.approx(min(abs(k - 50) for k in best) / 100)
    assert round(found * 100) in best


def test_by_hand() -> None:
    assert chosen("f1") == 0.3  # tp 3 fp 3: 6/9, as 0.6 with tp 2 fp 1: 4/6, which misses one more
    assert chosen("f0.5") == 0.8  # 1.25 / 1.75; 0.6 has 2.5 / 3.75, 0.3 has 3.75 / 6.75
    assert chosen("youden") == 0.6  # 2/3 - 1/5
    assert chosen("spec80") == 0.6  # 1 of 5 negatives above
    assert chosen("spec100") == 0.8
    assert chosen("sens90") == 0.3  # all 3
    assert chosen("sens60") == 0.6
    assert chosen("prior") == 0.6  # 3 of 8
    assert chosen("prior25") == 0.7
    assert chosen("p75") == pytest.approx(0.625)  # place 5.25 of 0 ... 7


def test_a_decision_may_call_nothing() -> None:
    above = chosen("spec90", np.array([0.5, 1.0, 1.0]), np.array([1, 0, 1]))
    assert above > 1.0
    assert chosen("prior0") > PROBS.max()


def test_the_percentile_is_of_the_winner() -> None:
    rng = np.random.default_rng(0)
    probs = rng.random(10_000)
    found = chosen("p97.935", probs, np.zeros(10_000, np.int64))
    rising = np.sort(probs)
    place = 0.97935 * 9_999
    below = int(place)
    wanted = rising[below] + (place - below) * (rising[below + 1] - rising[below])
    assert found == pytest.approx(wanted, abs=1e-15)
    assert (probs >= found).sum() == 207  # 2.065 % of 10,000


@pytest.mark.parametrize("rule", ["f1", "grid", "youden", "spec90", "sens90", "prior"])
def test_without_one_of_the_classes_there_is_none(rule: str) -> None:
    for labels in (np.zeros(3, np.int64), np.ones(3, np.int64), np.zeros(0, np.int64)):
        probs = np.linspace(0, 1, len(labels))
        assert choose_threshold(parse_rule(rule), probs, labels) is None
    with pytest.raises(ValueError, match="needs labels"):
        choose_threshold(parse_rule(rule), PROBS)


def test_some_rules_need_no_labels() -> None:
    assert choose_threshold(parse_rule("p100"), PROBS) == 0.8
    assert choose_threshold(parse_rule("prior50"), PROBS) == 0.5
    assert choose_threshold(parse_rule("p50"), np.zeros(0)) is None


def test_a_table_is_aggregated_first() -> None:
    images = pd.DataFrame(
        {
            "patient_id": ["a", "a", "b", "b"],
            "laterality": ["L", "L", "L", "R"],
            "prob": [0.2, 0.8, 0.4, 0.6],
            "cancer": [1, 1, 0, 0],
        }
    )
    rule = parse_rule("spec100")
    assert threshold_of(images, "breast", Aggregation("max"), rule) == 0.8
    assert threshold_of(images, "breast", Aggregation("mean"), rule) > 0.6  # a has 0.5
    assert threshold_of(images.assign(cancer=0), "breast", Aggregation(), rule) is None
