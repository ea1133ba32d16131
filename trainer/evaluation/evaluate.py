"""A table of scores with labels -> figures with intervals, of all rows and of subgroups."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from trainer.aggregation.levels import Level, aggregate
from trainer.evaluation.evaluation import Evaluation, LevelFigures, Subgroup
from trainer.evaluation.groups import split_by
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.bootstrap import patient_bootstrap
from trainer.intervals.delong import delong_interval
from trainer.metrics.figures import (
    SCORE_FIGURES,
    THRESHOLD_FIGURES,
    Figures,
    labeled_rows,
    score_figures,
)

_OF_RISK: Final = ("brier", "logloss", "ece", "ece_mass")  # what calibration changes


def evaluate(scores: pd.DataFrame, options: EvaluationOptions | None = None) -> Evaluation:
    """The figures of a table with a row per image, as `scores.reading.read_predictions` gives it.

    Images without a label do not count. Each subgroup is evaluated as if its images were all there
    are: a patient whose exams are of two vendors is in both, each time with the exams of one. Of a
    view, a breast is its images of that view; where a network scored breasts or exams, these carry
    the score of all views.

    Raises DatasetError where there is no label, a value is not a score or a label, or nothing is
    known of a column to split by.
    """
    options = options or EvaluationOptions()
    labeled = labeled_rows(scores)
    return Evaluation(
        options=options,
        images=len(labeled),
        unlabeled=len(scores) - len(labeled),
        levels=_levels(labeled, options.levels, options),
        subgroups={name: _subgroups(labeled, name, options) for name in options.by},
    )


def _levels(
    scores: pd.DataFrame, levels: Sequence[Level], options: EvaluationOptions
) -> dict[Level, LevelFigures]:
    tables = {level: aggregate(scores, level, options.how) for level in levels}
    found: dict[Level, LevelFigures] = {}
    for level, table in tables.items():
        if level == "patient" and _is_of_exams(tables, options):
            found[level] = found["exam"]
        else:
            found[level] = _level_figures(table, level, options)
    return found


def _is_of_exams(tables: Mapping[Level, pd.DataFrame], options: EvaluationOptions) -> bool:
    """Whether each patient has one exam, whose figures are then hers."""
    exams = tables.get("exam")
    decided = options.decision is not None and options.decision.level in ("exam", "patient")
    return exams is not None and len(exams) == len(tables["patient"]) and not decided


def _level_figures(table: pd.DataFrame, level: Level, options: EvaluationOptions) -> LevelFigures:
    labels, probs = table["cancer"].to_numpy(np.int64), table["prob"].to_numpy(np.float64)
    patients, _ = pd.factorize(table["patient_id"], sort=True)
    threshold = options.threshold_of(level)
    names = SCORE_FIGURES if threshold is None else (*SCORE_FIGURES, *THRESHOLD_FIGURES)
    intervals = dict.fromkeys(names)
    if options.repeats:
        intervals = patient_bootstrap(
            labels, probs, patients, names, repeats=options.repeats, seed=options.seed,
            threshold=threshold, confidence=options.confidence,
        )  # fmt: skip
    count = int(patients.max(initial=-1)) + 1
    return LevelFigures(
        figures=score_figures(labels, probs, threshold),
        intervals=intervals,
        patients=count,
        patients_with_cancer=len(np.unique(patients[labels == 1])),
        threshold=threshold,
        risk=_risk_figures(table, level, options),
        delong=delong_interval(labels, probs, options.confidence) if count == len(table) else None,
    )


def _risk_figures(table: pd.DataFrame, level: Level, options: EvaluationOptions) -> Figures | None:
    """How far the calibrated risks of the decision's level are from what happened."""
    decision = options.decision
    if decision is None or decision.calibration is None or decision.level != level:
        return None
    risks = decision.apply(table)["risk"].to_numpy(np.float64)
    figures = score_figures(table["cancer"].to_numpy(np.int64), risks)
    return {name: figures[name] for name in _OF_RISK}


def _subgroups(scores: pd.DataFrame, name: str, options: EvaluationOptions) -> tuple[Subgroup, ...]:
    levels = options.levels if options.by_levels is None else options.by_levels
    return tuple(
        Subgroup(value, len(rows), _levels(rows, levels, options))
        for value, rows in split_by(scores, name).items()
    )
