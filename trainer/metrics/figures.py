"""Figures of merit for scores, on every level, by name.

    auroc, auprc         area under the ROC curve; average precision
    pauc_spec80          area under the ROC curve at specificities >= 0.8, standardized: chance 0.5
    sens_at_spec90       the best sensitivity of a threshold with that specificity at least (in %)
    spec_at_sens90       the best specificity of a threshold with that sensitivity at least
    pf1                  probabilistic F1, the metric of RSNA 2023
    brier, logloss       mean squared and logarithmic error of the probability; less is better
    ece, ece_mass        expected calibration error, 15 bins of equal width, of equally many rows
    precision, recall, specificity, f1, f0.5, f2, tp, fp, fn, tn      of scores >= a threshold

A figure that the data cannot define, because one class is missing, is None: never 0.5, never NaN.
"""

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import DatasetError
from trainer.aggregation.levels import LEVELS, aggregate
from trainer.aggregation.policy import Aggregation
from trainer.metrics import probability, ranking
from trainer.metrics.confusion import Confusion
from trainer.metrics.ranked import Draws, Floats, Ints

Figures = dict[str, float | int | None]

_USUAL: Final = Aggregation()
_FIGURES: Final[dict[str, Callable[[Draws], Floats]]] = {
    "auroc": ranking.auroc,
    "auprc": ranking.average_precision,
    "pauc_spec80": lambda draws: ranking.partial_auroc(draws, 0.8),
    "pf1": probability.probabilistic_f,
    "sens_at_spec90": lambda draws: ranking.sensitivity_at(draws, 0.9),
    "sens_at_spec80": lambda draws: ranking.sensitivity_at(draws, 0.8),
    "spec_at_sens90": lambda draws: ranking.specificity_at(draws, 0.9),
    "brier": probability.brier,
    "logloss": probability.log_loss,
    "ece": probability.calibration_error,
    "ece_mass": probability.calibration_error_of_equal_bins,
}
_DECISIONS: Final[dict[str, Callable[[Confusion], Floats]]] = {
    "precision": Confusion.precision,
    "recall": Confusion.recall,
    "specificity": Confusion.specificity,
    "f1": lambda counts: counts.f_score(1.0),
    "f0.5": lambda counts: counts.f_score(0.5),
    "f2": lambda counts: counts.f_score(2.0),
}

SCORE_FIGURES: Final = tuple(_FIGURES)  # of scores alone
THRESHOLD_FIGURES: Final = tuple(_DECISIONS)  # of scores and a threshold
CONFUSION_COUNTS: Final = ("tp", "fp", "fn", "tn")  # of scores and a threshold, integers


def score_figures(
    labels: Ints, probs: NDArray[np.floating], threshold: float | None = None
) -> Figures:
    """All figures of one level; `labels` (n,) are 0 or 1, `probs` (n,) lie in [0, 1].

    Counts n and npos, SCORE_FIGURES, and with a threshold (score >= threshold is a finding)
    THRESHOLD_FIGURES and CONFUSION_COUNTS too. None where the data do not define a figure.
    """
    draws = Draws.once(labels, probs)
    values = figures_of_draws(
        draws, [*SCORE_FIGURES, *([] if threshold is None else THRESHOLD_FIGURES)], threshold
    )
    figures: Figures = {"n": len(labels), "npos": int(np.sum(labels))}
    figures |= {name: _known(value[0]) for name, value in values.items()}
    if threshold is not None:
        counts = Confusion.of(draws, threshold)
        figures |= {name: int(getattr(counts, name)[0]) for name in CONFUSION_COUNTS}
    return figures


def figures_of_draws(
    draws: Draws, names: Sequence[str], threshold: float | None = None
) -> dict[str, Floats]:
    """The values (R,) of each named figure under each weighting, NaN where one defines none."""
    counts = None if threshold is None else Confusion.of(draws, threshold)
    values = {}
    for name in names:
        if name in _FIGURES:
            values[name] = _FIGURES[name](draws)
        elif counts is not None and name in _DECISIONS:
            values[name] = _DECISIONS[name](counts)
        else:
            raise ValueError(f"no figure {name!r}, or it needs a threshold")
    return values


def evaluate_scores(scores: pd.DataFrame, how: Aggregation = _USUAL) -> Figures:
    """Figures named "<level>/<figure>" for each of LEVELS.

    `scores` has a row per image with patient_id, laterality, prob and cancer; rows without a label
    do not count. A breast, exam or patient is positive where one of its images is.

    Raises DatasetError where there is no label at all, or a value is not a score or a label.
    """
    labeled = labeled_rows(scores)
    tables = {level: aggregate(labeled, level, how) for level in LEVELS}
    return {
        f"{level}/{name}": value
        for level, table in tables.items()
        for name, value in score_figures(
            table["cancer"].to_numpy(np.int64), table["prob"].to_numpy(np.float64)
        ).items()
    }


def _known(value: np.float64) -> float | None:
    return None if np.isnan(value) else float(value)


def labeled_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows with a label; DatasetError where nothing can be evaluated."""
    missing = {"patient_id", "laterality", "prob", "cancer"} - set(scores.columns)
    if missing:
        raise DatasetError(
            f"the predictions lack {', '.join(sorted(missing))}; name the manifest that says it "
            "with --manifest"
        )
    labeled = scores[scores["cancer"].notna()]
    if labeled.empty:
        raise DatasetError("no prediction has a label in column cancer; nothing can be evaluated")
    if not labeled["cancer"].isin([0, 1]).all():
        raise DatasetError("column cancer must hold 0 or 1, or nothing where it is unknown")
    wrong = int((~labeled["prob"].between(0, 1)).sum())
    if wrong:
        raise DatasetError(
            f"column prob must hold probabilities from 0 to 1, unlike {wrong:,} of "
            f"{len(labeled):,} labeled rows; predict again"
        )
    return labeled
