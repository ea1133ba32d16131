import itertools
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, logit

from trainer.ensembles.combine import COMBINES, Combine, combine

NAN = np.nan
ONES = np.ones(2)


def rows(*values: list[float]) -> NDArray[np.float64]:
    return np.array(values)


def exact_mean(logits: list[float], weights: list[float]) -> float:
    """The logit of the mean probability, to 80 digits."""
    with localcontext() as context:
        context.prec = 80
        shares = [Decimal(weight) for weight in weights]
        probs = [1 / (1 + (-Decimal(value)).exp()) for value in logits]
        mean = sum(p * w for p, w in zip(probs, shares, strict=True)) / sum(shares)
        return float((mean / (1 - mean)).ln())


@given(
    st.lists(st.tuples(st.floats(-60, 60), st.floats(0.01, 9)), min_size=2, max_size=5),
)
def test_the_mean_of_probabilities_is_exact_also_where_they_round_to_1(
    members: list[tuple[float, float]],
) -> None:
    logits, weights = [m[0] for m in members], [m[1] for m in members]
    found = combine(rows(logits), np.array(weights))
    assert found[0] == pytest.approx(exact_mean(logits, weights), rel=1e-12, abs=1e-12)


def test_the_mean_of_logits() -> None:
    found = combine(rows([1.0, 2.0], [60.0, -40.0]), np.array([1.0, 3.0]), "logit")
    assert found.tolist() == [1.75, -15.0]


def test_the_mean_of_ranks_by_hand() -> None:
    logits = rows([0.1, 5.0], [0.3, 5.0], [0.2, -1.0])
    # of 3 images: 1, 3, 2 and 2.5, 2.5, 1, each over 4
    wanted = [(1 + 2.5) / 8, (3 + 2.5) / 8, (2 + 1) / 8]
    assert expit(combine(logits, ONES, "rank")) == pytest.approx(wanted)


def test_equal_means_of_ranks_are_equal_scores() -> None:
    orders = itertools.permutations(range(5))  # each of 5 images has every rank by some member
    for second, third in itertools.product(orders, [(0, 1, 2, 3, 4), (2, 0, 4, 1, 3)]):
        logits = np.array([range(5), second, third], np.float64).T
        found = expit(combine(logits, np.ones(3), "rank"))
        sums = logits.sum(axis=1)
        assert len(set(found)) == len(set(sums))
        assert (np.argsort(found, kind="stable") == np.argsort(sums, kind="stable")).all()


def test_ranks_are_among_a_members_own_scores() -> None:
    logits = rows([0.1, NAN], [0.3, NAN], [NAN, 7.0], [NAN, 8.0])
    assert expit(combine(logits, ONES, "rank")) == pytest.approx([1 / 3, 2 / 3, 1 / 3, 2 / 3])


@pytest.mark.parametrize("how", COMBINES)
def test_who_has_no_score_or_no_weight_is_left_out(how: Combine) -> None:
    logits = rows([1.0, 9.0, 3.0], [0.5, NAN, 2.0], [NAN, 4.0, NAN], [2.0, 1.0, 0.0])
    found = combine(logits, np.array([1.0, 0.0, 2.0]), how)
    kept = combine(logits[:, [0, 2]], np.array([1.0, 2.0]), how)
    np.testing.assert_array_equal(found, kept)
    assert np.isnan(found).tolist() == [False, False, True, False]


@pytest.mark.parametrize("how", ["prob", "logit"])
def test_a_score_of_one_member_stays_as_it_is_to_the_bit(how: Combine) -> None:
    values = np.random.default_rng(0).normal(0, 20, 500)
    np.testing.assert_array_equal(combine(values[:, None], np.array([0.3]), how), values)
    beside = np.stack([values, np.full(500, NAN)], axis=1)
    np.testing.assert_array_equal(combine(beside, np.array([0.3, 0.7]), how), values)


@pytest.mark.parametrize("how", ["prob", "logit"])
def test_a_row_does_not_depend_on_the_others_or_on_memory(how: Combine) -> None:
    logits = np.random.default_rng(0).normal(0, 5, (257, 11))
    logits[::3, 4] = NAN
    weights = np.linspace(0.1, 1, 11)
    whole = combine(logits, weights, how)
    single = np.concatenate([combine(row[None], weights, how) for row in logits])
    np.testing.assert_array_equal(single, whole)
    np.testing.assert_array_equal(combine(np.asfortranarray(logits), weights, how), whole)


@pytest.mark.parametrize("how", COMBINES)
def test_equal_weights_are_no_weights_and_all_stays_within_its_members(how: Combine) -> None:
    logits = np.random.default_rng(0).normal(0, 5, (50, 4))
    found = combine(logits, np.full(4, 0.25), how)
    assert found == pytest.approx(combine(logits, np.ones(4), how), abs=1e-12)
    if how != "rank":
        assert (found <= logits.max(axis=1) + 1e-12).all()
        assert (found >= logits.min(axis=1) - 1e-12).all()


@pytest.mark.parametrize("how", COMBINES)
@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.7e308])
def test_only_the_ratio_of_weights_counts_whatever_their_size(how: Combine, size: float) -> None:
    logits = rows([1.0, 9.0, 3.0], [0.5, NAN, 2.0])
    found = combine(logits, np.full(3, size), how)
    assert found == pytest.approx(combine(logits, np.ones(3), how), rel=1e-14)
    assert np.isnan(combine(logits, np.zeros(3), how)).all()


def test_plain_values() -> None:
    found = combine(rows([logit(0.2), logit(0.6)]), np.array([3.0, 1.0]))
    assert expit(found[0]) == pytest.approx(0.3)
    assert combine(np.zeros((0, 2)), ONES).shape == (0,)
