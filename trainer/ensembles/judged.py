"""What scores, and the risks and decisions that follow from them, are worth together."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.decisions.decision import Decision
from trainer.intervals.bootstrap import patient_bootstrap
from trainer.intervals.interval import Interval
from trainer.metrics.figures import (
    CONFUSION_COUNTS,
    SCORE_FIGURES,
    THRESHOLD_FIGURES,
    Figures,
    score_figures,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_OF_RISKS: Final = ("brier", "logloss", "ece", "ece_mass")
_OF_SCORES: Final = tuple(name for name in SCORE_FIGURES if name not in _OF_RISKS)
_HALF: Final = 0.5  # between a decision of 0 and one of 1


@dataclass(frozen=True, eq=False)
class Judged:
    """The rows (m,) of a level: labels, scores, and what decisions made of each score.

    Different rows may have been decided by different decisions. Figures of order are of `probs`,
    Brier, log loss and calibration errors of `risks`, the others of `positive`, 0 or 1.
    """

    labels: Ints
    patients: NDArray[np.str_]
    probs: Floats
    risks: Floats
    positive: Ints

    def figures(self) -> Figures:
        """All figures of `score_figures` with a threshold."""
        counts = score_figures(self.labels, self.probs)
        figures: Figures = {name: counts[name] for name in ("n", "npos")}
        for scores, names, threshold in self._parts():
            of_part = score_figures(self.labels, scores, threshold)
            figures |= {name: of_part[name] for name in names}
        found = score_figures(self.labels, self.positive.astype(np.float64), _HALF)
        return figures | {name: found[name] for name in CONFUSION_COUNTS}

    def uncalibrated(self) -> Figures:
        """Brier, log loss and calibration errors of the scores themselves."""
        figures = score_figures(self.labels, self.probs)
        return {name: figures[name] for name in _OF_RISKS}

    def intervals(self, repeats: int, seed: int) -> dict[str, Interval | None]:
        """The interval of each of these figures, by drawing patients `repeats` times."""
        intervals: dict[str, Interval | None] = {}
        for scores, names, threshold in self._parts():
            intervals |= patient_bootstrap(
                self.labels,
                scores,
                self.patients,
                names,
                repeats=repeats,
                seed=seed,
                threshold=threshold,
            )
        return intervals

    def _parts(self) -> Iterator[tuple[Floats, tuple[str, ...], float | None]]:
        yield self.probs, _OF_SCORES, None
        yield self.risks, _OF_RISKS, None
        yield self.positive.astype(np.float64), THRESHOLD_FIGURES, _HALF


def judge_decision(
    decision: Decision, labels: Ints, patients: NDArray[np.str_], probs: Floats
) -> Judged:
    """The rows of one decision's level, decided by it; uncalibrated scores count as risks."""
    table = decision.apply(pd.DataFrame({"prob": probs}))
    risks = table["risk"].to_numpy(np.float64) if decision.calibration else probs
    return Judged(labels, patients, probs, risks, table["positive"].to_numpy(np.int64))
