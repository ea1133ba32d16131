"""What the scores are worth, as the page shows it: figures with intervals, charts, subgroups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd
from markupsafe import Markup

from dali_pipelines.kept_folds import FOLD
from trainer.aggregation.levels import LEVELS, UNKNOWN_SIDE, Level, aggregate
from trainer.evaluation.bands import Drawn
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.evaluation import Evaluation, LevelFigures
from trainer.evaluation.options import EvaluationOptions
from trainer.metrics.figures import labeled_rows
from trainer.report.forest import forest
from trainer.report.score_charts import (
    Rows,
    calibration_chart,
    histogram,
    level_kind,
    pr_chart,
    roc_chart,
)

FIGURES: Final[Mapping[str, str]] = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "pauc_spec80": "partial AUROC, specificity 80 to 100 %",
    "sens_at_spec90": "sensitivity at 90 % specificity",
    "spec_at_sens90": "specificity at 90 % sensitivity",
    "pf1": "probabilistic F1",
    "brier": "Brier score",
    "logloss": "log loss",
    "ece": "calibration error (ECE)",
}
AT_THRESHOLD: Final[Mapping[str, str]] = {
    "recall": "sensitivity",
    "specificity": "specificity",
    "precision": "precision (PPV)",
    "f1": "F1",
}
_SPLIT: Final = ("site", "vendor", "density", "age", "view")


@dataclass(frozen=True, slots=True)
class SubgroupRow:
    """One value of a column, with its AUROC as text and as a mark between 0 and 1."""

    value: str
    images: int
    figures: LevelFigures
    mark: Markup


@dataclass(frozen=True, slots=True)
class ScorePart:
    """The figures of `evaluation` and the charts of them; `main` is the level of band and marks.

    Charts are None where a class is missing. `kinds` are the colors of the levels.
    """

    evaluation: Evaluation
    main: Level
    kinds: Mapping[Level, str]
    roc: Markup | None
    pr: Markup | None
    calibration: Markup | None
    histogram: Markup
    subgroups: Mapping[str, Sequence[SubgroupRow]]

    @property
    def threshold(self) -> float | None:
        """The threshold of the main level."""
        return self.evaluation.levels[self.main].threshold

    @property
    def pooled(self) -> str:
        """A sentence on what figures of several folds together depend on, "" without folds."""
        areas = [row.figures.figures["auroc"] for row in self.subgroups.get(FOLD, ())]
        known = [area for area in areas if area is not None]
        if not known:
            return ""
        return (
            " Figures of all folds together also depend on how the scores of one fold compare with "
            f"those of another: within the folds, the AUROC by {self.main} is {min(known):.3f} to "
            f"{max(known):.3f}, as the subgroups show."
        )


def score_part(scores: pd.DataFrame, options: EvaluationOptions, main: Level) -> ScorePart:
    """All that is said of scores with a row an image, with the columns to split by where known.

    The columns are the usual ones and those of `options`. Errors as of `evaluate`.
    """
    labeled = labeled_rows(scores)
    tables = {level: aggregate(labeled, level, options.how) for level in LEVELS}
    rows = {level: Rows.of(table) for level, table in tables.items()}
    evaluation = evaluate(scores, replace(options, by=()))
    drawn = Drawn(options.repeats or 1, options.seed, options.confidence)
    both = rows[main].has_both
    return ScorePart(
        evaluation=evaluation,
        main=main,
        kinds={level: level_kind(level) for level in LEVELS},
        roc=roc_chart(rows, main, drawn) if both else None,
        pr=pr_chart(rows, main, drawn) if both else None,
        calibration=_calibration(tables[main], options, main, drawn) if both else None,
        histogram=histogram(rows[main], evaluation.levels[main].threshold),
        subgroups=_subgroups(labeled, options, main),
    )


def _calibration(
    table: pd.DataFrame, options: EvaluationOptions, main: Level, drawn: Drawn
) -> Markup:
    decision = options.decision
    if decision is None or decision.calibration is None or decision.level != main:
        return calibration_chart(Rows.of(table), None, drawn)
    return calibration_chart(Rows.of(table), Rows.of(decision.apply(table), "risk"), drawn)


def _subgroups(
    labeled: pd.DataFrame, options: EvaluationOptions, main: Level
) -> dict[str, list[SubgroupRow]]:
    names = [name for name in (*options.by, *_SPLIT) if name in labeled]
    found = {name: labeled[name].replace(UNKNOWN_SIDE, "") for name in names}
    by = tuple(name for name, texts in found.items() if len(texts.drop_duplicates()) > 1)
    if not by:
        return {}
    groups_of = evaluate(labeled, replace(options, by=by, levels=(main,))).subgroups
    return {
        name: [
            SubgroupRow(group.value, group.images, group.levels[main], forest(group.levels[main]))
            for group in groups
        ]
        for name, groups in groups_of.items()
    }
