"""Figures of the order of scores: areas under curves and operating points.

Each takes R weightings of the same rows and gives (R,) values, NaN where a class is missing.
"""

import numpy as np

from trainer.metrics.ranked import Draws, Floats, ratio

_SLACK = 1e-12  # 1 - 0.9 is a little below 0.1 in binary


def auroc(draws: Draws) -> Floats:
    """The share of pairs of a positive and a negative that are in order, ties by half."""
    passed, false = draws.roc_corners
    pairs = (np.diff(false) * (passed[:, 1:] + passed[:, :-1])).sum(axis=1) / 2
    return ratio(pairs, draws.positives * draws.negatives)


def average_precision(draws: Draws) -> Floats:
    """The mean over positives of the precision at their score: step-wise area, no interpolation."""
    passed, false = draws.roc_corners
    found = np.diff(passed)
    called = passed[:, 1:] + false[:, 1:]
    precision = np.divide(passed[:, 1:], called, out=np.zeros_like(called), where=called > 0)
    area = ratio((found * precision).sum(axis=1), draws.positives)
    return np.where(draws.negatives > 0, area, np.nan)


def partial_auroc(draws: Draws, specificity: float) -> Floats:
    """The area under the ROC curve where specificity >= `specificity`, standardized: chance 0.5.

    It lies in [least_partial_auroc(specificity), 1].
    Source: McClish 1989, "Analyzing a Portion of the ROC Curve".
    """
    width = 1.0 - specificity
    passed, false = draws.roc_corners
    rise = passed / np.maximum(draws.positives, 1)[:, None]
    run = false / np.maximum(draws.negatives, 1)[:, None]
    steps, lifts = np.diff(run), np.diff(rise)
    within = np.clip(width - run[:, :-1], 0.0, steps)
    slope = np.divide(lifts, steps, out=np.zeros_like(steps), where=steps > 0)
    area = (within * (rise[:, :-1] + slope * within / 2)).sum(axis=1)
    least = least_partial_auroc(specificity)
    standardized = least + (1 - least) * np.minimum(area / width, 1.0)  # above 1 by rounding only
    return np.where(draws.positives * draws.negatives > 0, standardized, np.nan)


def least_partial_auroc(specificity: float) -> float:
    """The standardized partial area of a model that finds nothing there: 0.444 for 0.8."""
    by_chance = (1 - specificity) / 2  # of the area that is possible
    return (1 - by_chance / (1 - by_chance)) / 2


def sensitivity_at(draws: Draws, specificity: float) -> Floats:
    """The best sensitivity of any threshold whose specificity is at least `specificity`."""
    passed, false = draws.roc_corners
    allowed = draws.negatives[:, None] * (1 - specificity + _SLACK)
    kept = np.where(false <= allowed, passed, 0.0)
    best = ratio(kept.max(axis=1), draws.positives)
    return np.where(draws.negatives > 0, best, np.nan)


def specificity_at(draws: Draws, sensitivity: float) -> Floats:
    """The best specificity of any threshold whose sensitivity is at least `sensitivity`."""
    passed, false = draws.roc_corners
    wanted = draws.positives[:, None] * (sensitivity - _SLACK)
    called = np.where(passed >= wanted, false, np.inf)
    least = ratio(called.min(axis=1), draws.negatives)
    return np.where(draws.positives > 0, 1 - least, np.nan)
