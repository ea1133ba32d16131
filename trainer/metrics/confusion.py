"""Figures of decisions: what a threshold makes of the scores.

A score >= threshold is a finding. Each figure takes R weightings and gives (R,) values.
"""

from dataclasses import dataclass

import numpy as np

from trainer.metrics.ranked import Draws, Floats, ratio


@dataclass(frozen=True, eq=False)
class Confusion:
    """Findings that are right (tp) and wrong (fp), cancers missed (fn), and the rest (tn); (R,)."""

    tp: Floats
    fp: Floats
    fn: Floats
    tn: Floats

    @classmethod
    def of(cls, draws: Draws, threshold: float) -> "Confusion":
        """The counts under each weighting."""
        found = (draws.ranked.probs >= threshold).astype(np.float64)
        tp = draws.total(found * draws.ranked.labels)
        fp = draws.total(found * (1 - draws.ranked.labels))
        return cls(tp, fp, draws.positives - tp, draws.negatives - fp)

    def precision(self) -> Floats:
        """The share of findings that are cancers; NaN where there is no finding."""
        return ratio(self.tp, self.tp + self.fp)

    def recall(self) -> Floats:
        """The share of cancers found (sensitivity); NaN where there is no cancer."""
        return ratio(self.tp, self.tp + self.fn)

    def specificity(self) -> Floats:
        """The share of the healthy without a finding; NaN where all have cancer."""
        return ratio(self.tn, self.tn + self.fp)

    def f_score(self, beta: float) -> Floats:
        """F_beta in [0, 1]: recall counts beta times as much as precision; NaN without cancers."""
        b = beta**2
        score = ratio((1 + b) * self.tp, (1 + b) * self.tp + b * self.fn + self.fp)
        return np.where(self.tp + self.fn > 0, score, np.nan)
