"""Curves as plain arrays: ROC, precision and recall, and reliability."""

from dataclasses import dataclass

import numpy as np

from trainer.metrics.probability import BINS, equal_bins
from trainer.metrics.ranked import Floats, Ints, Ranked


@dataclass(frozen=True, eq=False)
class RocCurve:
    """One point a distinct score, from none called (0, 0) to all (1, 1); arrays (T + 1,).

    `threshold` is the score from which on a row is called, first +inf.
    """

    false_positive_rate: Floats
    sensitivity: Floats
    threshold: Floats


@dataclass(frozen=True, eq=False)
class PrCurve:
    """One point a distinct score, from the greatest down; arrays (T,), to be joined by steps."""

    recall: Floats
    precision: Floats
    threshold: Floats


@dataclass(frozen=True, eq=False)
class Reliability:
    """Per bin that holds rows: mean probability, share of positives, rows and positives; (B,)."""

    probability: Floats
    share: Floats
    rows: Ints
    positives: Ints


def roc_curve(labels: Ints, probs: Floats) -> RocCurve | None:
    """The ROC curve of `labels` (n,) and `probs` (n,), None where a class is missing."""
    ranked = Ranked.of(labels, probs)
    found, false = _passed(ranked)
    if not len(found) or not found[-1] or not false[-1]:
        return None
    return RocCurve(
        np.append(0.0, false / false[-1]),
        np.append(0.0, found / found[-1]),
        np.append(np.inf, ranked.probs[ranked.ends]),
    )


def pr_curve(labels: Ints, probs: Floats) -> PrCurve | None:
    """The precision-recall curve, None where a class is missing."""
    ranked = Ranked.of(labels, probs)
    found, false = _passed(ranked)
    if not len(found) or not found[-1] or not false[-1]:
        return None
    return PrCurve(found / found[-1], found / (found + false), ranked.probs[ranked.ends])


def reliability(labels: Ints, probs: Floats, bins: int = BINS) -> Reliability | None:
    """Reliability over bins of equally many rows, from the least score up; None without rows."""
    if not len(labels):
        return None
    places = equal_bins(probs, bins)
    rows = np.bincount(places, minlength=bins)
    kept = rows > 0
    sums = [np.bincount(places, values, minlength=bins)[kept] for values in (probs, labels)]
    positives = sums[1].round().astype(np.int64)
    return Reliability(
        sums[0] / rows[kept], sums[1] / rows[kept], rows[kept].astype(np.int64), positives
    )


def _passed(ranked: Ranked) -> tuple[Floats, Floats]:
    """Positives and negatives (T,) at or above each distinct score."""
    found = np.cumsum(ranked.labels)[ranked.ends]
    return found, ranked.ends + 1.0 - found
