"""Figures of merit for scores, on images, breasts and patients.

A figure that the data cannot define, because one class is missing, is None: never 0.5, never NaN.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics

from dali_pipelines.errors import DatasetError
from trainer.aggregation.levels import LEVELS, aggregate

Figures = dict[str, float | int | None]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

OPERATING_POINT: Final = 0.9  # of sens_at_spec90 and spec_at_sens90
_SLACK: Final = 1e-12  # 1 - 0.9 is a little below 0.1 in binary


def pf1(labels: Ints, probs: Floats, beta: float = 1.0) -> float:
    """Probabilistic F score in [0, 1], the metric of RSNA 2023; 0 where it has no positives.

    Each image counts as `prob` of a detection, so 0/1 scores give the ordinary F score.
    Source: Yacouby and Axman 2020, "Probabilistic Extension of Precision, Recall, and F1 Score".
    """
    clipped = np.clip(probs, 0.0, 1.0)
    true_mass, false_mass = clipped[labels == 1].sum(), clipped[labels == 0].sum()
    positives = int((labels == 1).sum())
    if positives == 0 or true_mass == 0:
        return 0.0
    precision, recall = true_mass / (true_mass + false_mass), true_mass / positives
    return float((1 + beta**2) * precision * recall / (beta**2 * precision + recall))


def sensitivity_at_specificity(labels: Ints, probs: Floats, wanted: float) -> float:
    """The best sensitivity of any threshold whose specificity is at least `wanted`."""
    false_rate, true_rate = _roc(labels, probs)
    return float(true_rate[1 - false_rate >= wanted - _SLACK].max())


def specificity_at_sensitivity(labels: Ints, probs: Floats, wanted: float) -> float:
    """The best specificity of any threshold whose sensitivity is at least `wanted`."""
    false_rate, true_rate = _roc(labels, probs)
    return float((1 - false_rate[true_rate >= wanted - _SLACK]).max())


def score_figures(labels: Ints, probs: Floats) -> Figures:
    """All figures of one level; `labels` (n,) are 0 or 1, `probs` (n,) lie in [0, 1]."""
    positives = int(labels.sum())
    both, some = 0 < positives < len(labels), len(labels) > 0

    def known(figure: Callable[[], float], defined: bool) -> float | None:
        return float(figure()) if defined else None

    return {
        "n": len(labels),
        "npos": positives,
        "auroc": known(lambda: metrics.roc_auc_score(labels, probs), both),
        "auprc": known(lambda: metrics.average_precision_score(labels, probs), both),
        "pf1": known(lambda: pf1(labels, probs), positives > 0),
        "sens_at_spec90": known(
            lambda: sensitivity_at_specificity(labels, probs, OPERATING_POINT), both
        ),
        "spec_at_sens90": known(
            lambda: specificity_at_sensitivity(labels, probs, OPERATING_POINT), both
        ),
        "brier": known(lambda: float(np.mean((probs - labels) ** 2)), some),
        "logloss": known(lambda: metrics.log_loss(labels, probs, labels=[0, 1]), some),
    }


def evaluate_scores(scores: pd.DataFrame) -> Figures:
    """Figures named "<level>/<figure>" for the levels image, breast and patient.

    `scores` has a row per image with patient_id, laterality, prob and cancer; rows without a label
    do not count. A breast or patient is positive where one of its images is.

    Raises DatasetError where there is no label at all, or a value is not a score or a label.
    """
    labeled = _labeled(scores)
    tables = {level: aggregate(labeled, level) for level in LEVELS}
    return {
        f"{level}/{name}": value
        for level, table in tables.items()
        for name, value in score_figures(
            table["cancer"].to_numpy(np.int64), table["prob"].to_numpy(np.float64)
        ).items()
    }


def _labeled(scores: pd.DataFrame) -> pd.DataFrame:
    missing = {"patient_id", "laterality", "prob", "cancer"} - set(scores.columns)
    if missing:
        raise DatasetError(
            f"the predictions lack {', '.join(sorted(missing))}; labels (column cancer) can be "
            "joined from a manifest with --labels"
        )
    labeled = scores[scores["cancer"].notna()]
    if labeled.empty:
        raise DatasetError("no prediction has a label in column cancer; nothing can be evaluated")
    if not labeled["cancer"].isin([0, 1]).all():
        raise DatasetError("column cancer must hold 0 or 1, or nothing where it is unknown")
    if not labeled["prob"].between(0, 1).all():
        raise DatasetError("column prob must hold probabilities from 0 to 1, found others")
    return labeled


def _roc(labels: Ints, probs: Floats) -> tuple[Floats, Floats]:
    false_rate, true_rate, _ = metrics.roc_curve(labels, probs, drop_intermediate=False)
    return false_rate, true_rate
