"""How the scores of one group become one score, by rules that have names.

    mean        their mean
    max         the greatest
    noisy-or    1 - (1 - a)(1 - b)...: a finding in any of them, were they independent
    top2        the mean of the 2 greatest, or of as many as there are; any number from 1
    q90         their 90 % quantile, linear between neighbors (type 7 of Hyndman and Fan, "Sample
                Quantiles in Statistical Packages", 1996); 0 to 100, decimals too

All keep to [0, 1] and, for a single score, give that score. The values of a group are sorted before
anything is computed, so that groups with equal scores have equal results to the last bit, in
whatever order they came: a tie stays a tie.
"""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RULES: Final = ("mean", "max", "noisy-or", "top2", "q90")  # as examples where they take a number
_TOP: Final = re.compile(r"top([1-9][0-9]{0,3})")
_QUANTILE: Final = re.compile(r"q(100|[0-9]{1,2}(?:\.[0-9]{1,6})?)")


def is_rule(name: str) -> bool:
    """Whether there is a rule of that name."""
    return bool(name in RULES or _TOP.fullmatch(name) or _QUANTILE.fullmatch(name))


def require_rule(name: str) -> None:
    """Raise ConfigError unless there is a rule of that name."""
    if not is_rule(name):
        raise ConfigError(
            f"no rule {name[:40]!r} of an aggregation.{closest(name, RULES)} top2 and q90 also "
            "take other numbers, a count from 1 and a percentage"
        )


def combine(values: Floats, groups: Ints, rule: str) -> Floats:
    """One score (G,) a group from `values` (n,) in [0, 1]; `groups` (n,) has all of 0 ... G - 1.

    Raises ConfigError where there is no such rule.
    """
    require_rule(rule)
    if not len(values):
        return np.zeros(0)
    rising = values[np.lexsort((values, groups))]
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    if rule == "mean":
        return _sums(rising, starts) / sizes
    if rule == "max":
        greatest: Floats = rising[starts + sizes - 1]
        return greatest
    if rule == "noisy-or":
        return _noisy_or(rising, starts, sizes)
    if top := _TOP.fullmatch(rule):
        return _top(rising, starts, sizes, int(top[1]))
    return _quantile(rising, starts, sizes, float(rule[1:]) / 100)


def _sums(values: Floats, starts: Ints) -> Floats:
    sums: Floats = np.add.reduceat(values, starts)
    return sums


def _noisy_or(rising: Floats, starts: Ints, sizes: Ints) -> Floats:
    """By logarithms, which keep scores apart that are so small that 1 - score would be 1."""
    with np.errstate(divide="ignore"):  # log 0 is -inf, and 1 - exp(-inf) the 1 that it is
        found: Floats = -np.expm1(_sums(np.log1p(-rising), starts))
    return np.where(sizes == 1, rising[starts], found)  # one score is itself to the last bit


def _top(rising: Floats, starts: Ints, sizes: Ints, most: int) -> Floats:
    """The mean of the `most` greatest of each group."""
    ends = np.repeat(starts + sizes, sizes)
    counted = np.arange(len(rising)) >= ends - most
    return _sums(np.where(counted, rising, 0.0), starts) / np.minimum(sizes, most)


def _quantile(rising: Floats, starts: Ints, sizes: Ints, share: float) -> Floats:
    place = share * (sizes - 1)
    below = np.floor(place).astype(np.int64)
    low = rising[starts + below]
    high = rising[starts + np.minimum(below + 1, sizes - 1)]
    between: Floats = low + (place - below) * (high - low)
    return between
