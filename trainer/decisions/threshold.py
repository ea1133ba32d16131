"""The score from which on it counts as a finding, chosen by a rule.

Chosen on the scores that it is then judged on, a threshold flatters them.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.aggregation.levels import Level, aggregate
from trainer.aggregation.policy import Aggregation
from trainer.decisions.rules import Rule
from trainer.metrics.ranked import Draws, Floats, Ints

_SLACK: Final = 1e-9  # of a count: 0.9 times 10 is a little off 9 in binary
_GRID: Final = np.arange(101) / 100


def threshold_of(scores: pd.DataFrame, level: Level, how: Aggregation, rule: Rule) -> float | None:
    """The threshold that the rule chooses on a level, None where a class is missing that it needs.

    `scores` has a row per image with patient_id, laterality, prob and cancer (0 or 1).
    """
    table = aggregate(scores, level, how)
    labels, probs = table["cancer"].to_numpy(np.int64), table["prob"].to_numpy(np.float64)
    return choose_threshold(rule, probs, labels)


def choose_threshold(
    rule: Rule, probs: NDArray[np.floating], labels: Ints | None = None
) -> float | None:
    """The threshold that a rule chooses on scores (n,) with labels (n,), 0 or 1.

    It is one of the scores, a percentile of them, one of the grid's, or just above all scores. None
    where there is no score, or a class is missing that the rule needs. ValueError without labels
    for a rule that needs them.
    """
    if rule.needs_labels and labels is None:
        raise ValueError(f"a threshold by {rule.kind} needs labels")
    known = np.zeros(len(probs), np.int64) if labels is None else labels
    if not len(probs) or (rule.needs_labels and not 0 < known.sum() < len(known)):
        return None
    if rule.kind == "percentile":
        return float(np.percentile(probs, _number(rule)))
    draws = Draws.once(known, probs)
    return _on_grid(draws) if rule.kind == "grid" else _among_scores(rule, draws)


def _among_scores(rule: Rule, draws: Draws) -> float:
    """The threshold among the scores, from just above all of them down."""
    ranked = draws.ranked
    above = np.nextafter(ranked.probs[0], np.inf)
    cuts = np.concatenate([[above], ranked.probs[ranked.ends]])
    return float(cuts[_best(rule, draws)])


def _best(rule: Rule, draws: Draws) -> int:
    """Which of the falling cuts (T + 1,) a rule takes."""
    tp, fp = draws.true_positives[0], draws.false_positives[0]
    positives, negatives = float(draws.positives[0]), float(draws.negatives[0])
    if rule.kind == "spec":
        allowed = negatives * (1 - _number(rule) / 100)
        return int(np.flatnonzero(fp <= allowed + _SLACK)[-1])
    if rule.kind == "sens":
        return int(np.argmax(tp >= positives * _number(rule) / 100 - _SLACK))
    if rule.kind == "youden":
        return _last_greatest(tp * negatives - fp * positives)  # whole numbers: ties are ties
    if rule.kind == "prior":
        share = positives if rule.number is None else rule.number / 100 * (positives + negatives)
        return _last_greatest(-np.abs(tp + fp - share))
    return _last_greatest(_f_scores(_number(rule), tp, fp, positives))


def _f_scores(beta: float, tp: Floats, fp: Floats, positives: float) -> Floats:
    weight = beta**2
    scores: Floats = (1 + weight) * tp / (weight * positives + tp + fp)
    return scores


def _last_greatest(values: Floats) -> int:
    return int(len(values) - 1 - np.argmax(values[::-1]))


def _on_grid(draws: Draws) -> float:
    distinct = draws.ranked.probs[draws.ranked.ends]
    called = np.searchsorted(-distinct, -_GRID, side="right")  # distinct scores from each cut on
    tp, fp = draws.true_positives[0][called], draws.false_positives[0][called]
    values = _f_scores(1.0, tp, fp, float(draws.positives[0]))
    best = _GRID[values == values.max()]
    return float(best[np.argmin(np.abs(best - 0.5))])


def _number(rule: Rule) -> float:
    assert rule.number is not None, rule.kind
    return rule.number
