"""Two models on the same images: how much better one is, and whether that could be chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import DatasetError
from trainer.aggregation.levels import Level, aggregate
from trainer.evaluation.evaluation import ends_of
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.delong import delong_compare
from trainer.intervals.interval import Comparison
from trainer.intervals.paired import paired_bootstrap
from trainer.metrics.figures import (
    SCORE_FIGURES,
    THRESHOLD_FIGURES,
    Figures,
    labeled_rows,
    score_figures,
)

_OF_A_MODEL: Final = ("prob", "unit_id")  # the other columns say what an image shows


@dataclass(frozen=True, slots=True)
class LevelComparison:
    """Figures of both models on the rows of one level, and by how much the first is greater.

    A difference is None where the data do not define the figure. `delong` compares the AUROCs where
    every patient has one row.
    """

    figures: Figures
    other: Figures
    differences: Mapping[str, Comparison | None]
    delong: Comparison | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; a difference is that of the figure, its interval and two-sided p."""
        return {
            "figures": dict(self.figures),
            "other": dict(self.other),
            "differences": {name: _plain(found) for name, found in self.differences.items()},
            "delong": _plain(self.delong),
        }


def compare(
    scores: pd.DataFrame,
    other: pd.DataFrame,
    options: EvaluationOptions,
    other_options: EvaluationOptions | None = None,
) -> dict[Level, LevelComparison]:
    """How much greater each figure of `scores` is than that of `other`, with draws of patients.

    Both have a row per image, of the same images; the labels and patients are those of `scores`.
    `other_options` say how the other model's scores are joined and decided upon, else as ours.

    Raises DatasetError where they do not score the same images, or nothing can be evaluated.
    """
    labeled = labeled_rows(scores)
    theirs = labeled_rows(_scored_by(other, scores).loc[labeled.index])
    return {
        level: _compare_level(labeled, theirs, level, (options, other_options or options))
        for level in options.levels
    }


def _compare_level(
    ours: pd.DataFrame,
    theirs: pd.DataFrame,
    level: Level,
    options: tuple[EvaluationOptions, EvaluationOptions],
) -> LevelComparison:
    table, others = (
        aggregate(rows, level, its.how) for rows, its in zip((ours, theirs), options, strict=True)
    )
    rows = _Rows(
        table["cancer"].to_numpy(np.int64),
        others["prob"].to_numpy(np.float64),
        table["prob"].to_numpy(np.float64),
        pd.factorize(table["patient_id"], sort=True)[0],
    )
    own, other = (its.threshold_of(level) for its in options)
    is_single = len(np.unique(rows.patients)) == len(rows.labels)
    confidence = options[0].confidence
    return LevelComparison(
        figures=score_figures(rows.labels, rows.probs, own),
        other=score_figures(rows.labels, rows.other_probs, other),
        differences=_differences(rows, own, other, options[0]),
        delong=delong_compare(rows.labels, rows.other_probs, rows.probs, confidence)
        if is_single
        else None,
    )


class _Rows(NamedTuple):
    """What both models are compared on: (n,) each."""

    labels: NDArray[np.int64]
    other_probs: NDArray[np.float64]
    probs: NDArray[np.float64]
    patients: NDArray[np.intp]


def _differences(
    rows: _Rows, own: float | None, other: float | None, options: EvaluationOptions
) -> dict[str, Comparison | None]:
    """Those at thresholds only where both models have one."""
    thresholds = None if own is None or other is None else (other, own)
    names = SCORE_FIGURES if thresholds is None else (*SCORE_FIGURES, *THRESHOLD_FIGURES)
    if not options.repeats:
        return dict.fromkeys(names)
    return paired_bootstrap(
        rows.labels, rows.other_probs, rows.probs, rows.patients, names, repeats=options.repeats,
        seed=options.seed, thresholds=thresholds, confidence=options.confidence,
    )  # fmt: skip


def _scored_by(other: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Our rows with the other model's scores, and with what it gave one score."""
    missing = int((~scores["image_id"].isin(other["image_id"])).sum())
    extra = int((~other["image_id"].isin(scores["image_id"])).sum())
    if missing or extra:
        raise DatasetError(
            f"the two files do not score the same images: {missing:,} of {len(scores):,} are in "
            f"the first alone and {extra:,} of {len(other):,} in the other; predict both from the "
            "same manifest, with the same id key"
        )
    named = other.set_index("image_id")
    theirs = {name: named[name] for name in _OF_A_MODEL if name in named.columns}
    kept = scores.drop(columns=[name for name in _OF_A_MODEL if name in scores.columns])
    return kept.assign(**{name: scores["image_id"].map(v) for name, v in theirs.items()})


def _plain(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "difference": found.difference,
        "interval": ends_of(found.interval),
        "p": found.p,
    }
