"""DeLong's variance of the AUROC, and of the difference of two AUROCs on the same rows.

It takes rows as independent. That is honest on the level of patients, one row each; on images,
breasts or exams, where one woman has several rows, intervals come out too narrow: use
`bootstrap.patient_bootstrap` and `paired.paired_bootstrap` there.
Source: DeLong, DeLong and Clarke-Pearson 1988, "Comparing the Areas under Two or More Correlated
Receiver Operating Characteristic Curves: A Nonparametric Approach"; by ranks as Sun and Xu 2014,
"Fast Implementation of DeLong's Algorithm".
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm, rankdata

from trainer.intervals.interval import Comparison, Interval
from trainer.intervals.spread import difference_interval

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def delong(labels: Ints, probs: Floats) -> tuple[float, float] | None:
    """(AUROC, its variance) of `labels` (n,) and `probs` (n,), None with < 2 rows of a class."""
    if not _enough(labels):
        return None
    cases, controls = _placements(labels, probs)
    variance = cases.var(ddof=1) / len(cases) + controls.var(ddof=1) / len(controls)
    return float(cases.mean()), float(variance)


def delong_interval(labels: Ints, probs: Floats, confidence: float = 0.95) -> Interval | None:
    """The interval of the AUROC, symmetric on the logit scale so that it stays within [0, 1].

    None with < 2 rows of a class, and where the AUROC is 0 or 1 or all scores are equal, whose
    variance DeLong puts at 0.
    Source: Pepe 2003, "The Statistical Evaluation of Medical Tests", section 5.2.
    """
    found = delong(labels, probs)
    if found is None or found[1] == 0:
        return None
    area, variance = found
    reach = norm.ppf((1 + confidence) / 2) * math.sqrt(variance) / (area * (1 - area))
    return Interval(float(expit(logit(area) - reach)), float(expit(logit(area) + reach)))


def delong_compare(
    labels: Ints, a: Floats, b: Floats, confidence: float = 0.95
) -> Comparison | None:
    """AUROC of `b` less that of `a` on the same rows (n,), None with < 2 rows of a class."""
    if not _enough(labels):
        return None
    (cases_a, controls_a), (cases_b, controls_b) = _placements(labels, a), _placements(labels, b)
    cases, controls = cases_b - cases_a, controls_b - controls_a
    difference = float(cases.mean())
    error = math.sqrt(cases.var(ddof=1) / len(cases) + controls.var(ddof=1) / len(controls))
    fewest = min(len(cases), len(controls))  # a perfect order against its reverse has no variance
    error = error or abs(difference) / math.sqrt(fewest)
    return difference_interval(difference, error, math.inf, confidence)


def _placements(labels: Ints, probs: Floats) -> tuple[Floats, Floats]:
    """For each positive the share of negatives below it, for each negative of positives above."""
    cases, controls = probs[labels == 1], probs[labels == 0]
    ranks = rankdata(np.concatenate([cases, controls]))
    own = rankdata(cases), rankdata(controls)
    above = (ranks[: len(cases)] - own[0]) / len(controls)
    below = 1 - (ranks[len(cases) :] - own[1]) / len(cases)
    return above, below


def _enough(labels: Ints) -> bool:
    return min(int((labels == 1).sum()), int((labels == 0).sum())) >= 2
