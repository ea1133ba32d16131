from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.errors import ConfigError
from trainer.aggregation.rules import combine, require_rule

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=9)
RULES = ["mean", "max", "noisy-or", "top1", "top2", "top9", "q0", "q50", "q97.5", "q100"]


def joint(values: list[float], rule: str) -> float:
    return float(combine(np.array(values), np.zeros(len(values), np.int64), rule)[0])


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("mean", 0.4),  # (0.2 + 0.6 + 0.4) / 3
        ("max", 0.6),
        ("noisy-or", 0.808),  # 1 - 0.8 * 0.4 * 0.6
        ("top1", 0.6),
        ("top2", 0.5),  # (0.6 + 0.4) / 2
        ("top3", 0.4),
        ("top9", 0.4),  # there are but three
        ("q0", 0.2),
        ("q50", 0.4),
        ("q90", 0.56),  # 0.9 * 2 = 1.8: 0.4 + 0.8 * (0.6 - 0.4)
        ("q97.5", 0.59),
        ("q100", 0.6),
    ],
)
def test_three_scores_by_hand(rule: str, wanted: float) -> None:
    assert joint([0.2, 0.6, 0.4], rule) == pytest.approx(wanted, abs=1e-15)


def test_groups_are_apart() -> None:
    values, groups = np.array([0.2, 0.9, 0.6, 0.1]), np.array([1, 0, 1, 2])
    assert combine(values, groups, "mean").tolist() == pytest.approx([0.9, 0.4, 0.1])
    assert combine(values, groups, "noisy-or").tolist() == pytest.approx([0.9, 0.68, 0.1])
    assert combine(values[:0], groups[:0], "q90").shape == (0,)


@settings(max_examples=200)
@given(values=SCORES, rule=st.sampled_from(RULES))
def test_the_order_does_not_matter_to_the_last_bit(rule: str, values: list[float]) -> None:
    assert joint(values, rule) == joint(values[::-1], rule)


@settings(max_examples=200)
@given(values=SCORES, rule=st.sampled_from(RULES))
def test_scores_stay_scores(rule: str, values: list[float]) -> None:
    found = joint(values, rule)
    assert 0 <= found <= 1
    assert joint(values[:1], rule) == values[0]
    highest = 1 if rule == "noisy-or" else max(values)
    assert min(values) - 1e-15 <= found <= highest + 1e-15


@given(values=SCORES, share=st.integers(0, 100))
def test_quantiles_are_those_of_numpy(values: list[float], share: int) -> None:
    wanted = np.quantile(values, share / 100)
    assert joint(values, f"q{share}") == pytest.approx(float(wanted), abs=1e-12)


@given(values=SCORES)
def test_noisy_or_is_exact_where_scores_are_tiny(values: list[float]) -> None:
    tiny = [value * 1e-18 for value in values]  # 1 - 1e-18 is 1
    wanted = 1 - prod(1 - Fraction(value) for value in tiny)
    assert joint(tiny, "noisy-or") == pytest.approx(float(wanted), rel=1e-12)


def test_certainty_stays_certain() -> None:
    assert joint([1.0, 0.3], "noisy-or") == 1
    assert joint([0.0, 0.0], "noisy-or") == 0


@pytest.mark.parametrize("name", ["", "median", "top0", "top", "q101", "q-1", "q", "topq", "MEAN"])
def test_what_is_no_rule_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no rule"):
        require_rule(name)


def test_a_slip_is_put_right() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'noisy-or'"):
        require_rule("noisy_or")
