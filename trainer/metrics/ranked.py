"""Scores put in order once, and counted under many weights.

A bootstrap asks for the same figures thousands of times, each time with every row counted as often
as it was drawn. So rows are sorted once, and a figure is computed for all draws together from
weights (R, n); the figure of the data as they are is the one draw in which every weight is 1.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Rows from the greatest score to the least; `labels` and `probs` (n,) are in that order.

    `order` (n,) are the rows' places in the data, `ends` (T,) the last row of each of T distinct
    scores: where a threshold can lie. `corners` (C,) are those ends between which an ROC curve is
    straight: of a run of scores without a positive, the last.
    """

    labels: Floats
    probs: Floats
    order: NDArray[np.intp]
    ends: NDArray[np.intp]
    corners: NDArray[np.intp]

    @classmethod
    def of(cls, labels: NDArray[np.integer], probs: NDArray[np.floating]) -> "Ranked":
        """`labels` (n,) are 0 or 1, `probs` (n,) any finite scores."""
        order = np.argsort(-probs, kind="stable")
        ranked = np.asarray(probs, dtype=np.float64)[order]
        kinds = np.asarray(labels, dtype=np.float64)[order]
        ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)[: len(ranked)]
        rises = np.diff(np.cumsum(kinds)[ends], prepend=0.0) > 0
        corners = ends[rises | np.append(rises[1:], True)[: len(ends)]]
        return cls(kinds, ranked, order, ends, corners)

    def under(self, weights: NDArray[np.number]) -> "Draws":
        """These rows counted by `weights` (R, n), which are in the order of the data."""
        return Draws(self, np.take(weights, self.order, axis=1).astype(np.float64))


@dataclass(frozen=True, eq=False)
class Draws:
    """R weightings of the same ranked rows: `weights` (R, n) >= 0, in the order of `ranked`."""

    ranked: Ranked
    weights: Floats

    @classmethod
    def once(cls, labels: NDArray[np.integer], probs: NDArray[np.floating]) -> "Draws":
        """The data as they are: one draw with every row once."""
        return cls(Ranked.of(labels, probs), np.ones((1, len(labels))))

    @cached_property
    def positives(self) -> Floats:
        """The positive rows of each draw (R,)."""
        return self.weights @ self.ranked.labels

    @cached_property
    def negatives(self) -> Floats:
        """The negative rows of each draw (R,)."""
        return self.weights @ (1.0 - self.ranked.labels)

    @cached_property
    def true_positives(self) -> Floats:
        """Positives at or above each distinct score (R, T + 1); first 0, above all scores."""
        return self._passed(self.ranked.ends)[0]

    @cached_property
    def false_positives(self) -> Floats:
        """Negatives at or above each distinct score (R, T + 1); first 0, above all scores."""
        return self._passed(self.ranked.ends)[1]

    @cached_property
    def roc_corners(self) -> tuple[Floats, Floats]:
        """Positives and negatives at or above each corner (R, C + 1); first 0, above all scores."""
        return self._passed(self.ranked.corners)

    def total(self, values: Floats) -> Floats:
        """The weighted sums (R,) or (R, k) of `values` (n,) or (n, k), in the order of ranks."""
        return self.weights @ values

    def _passed(self, ends: NDArray[np.intp]) -> tuple[Floats, Floats]:
        """Positives and negatives among the rows up to each of `ends` (K,), after 0; (R, K + 1)."""
        starts = np.append(0, ends[:-1] + 1)[: len(ends)]
        called = _from_zero(np.cumsum(np.add.reduceat(self.weights, starts, axis=1), axis=1))
        places = np.flatnonzero(self.ranked.labels)
        found = _from_zero(np.cumsum(self.weights[:, places], axis=1))
        found = _from_zero(found[:, np.searchsorted(places, ends, side="right")])
        return found, called - found


def ratio(part: Floats, whole: Floats) -> Floats:
    """The share part / whole (R,), NaN where the whole is 0 and the ratio thus not defined."""
    shares: Floats = np.full(np.shape(part), np.nan)
    return np.divide(part, whole, out=shares, where=whole > 0)


def _from_zero(counts: Floats) -> Floats:
    """The counts (R, k) after a column of zeros."""
    return np.concatenate([np.zeros((len(counts), 1)), counts], axis=1)
