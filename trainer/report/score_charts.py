"""The charts of scores: ROC, precision and recall, calibration, and scores by class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from trainer.aggregation.levels import LEVELS, Level
from trainer.evaluation.bands import Drawn, pr_band, reliability_band, roc_band
from trainer.metrics.curves import pr_curve, reliability, roc_curve
from trainer.metrics.ranked import Floats, Ints
from trainer.report.svg import Axis, Chart, nice_axis, unit_axis

_SCORE_BINS: Final = 20
_NARROW: Final = 0.15  # of the axis: ten points would lie closer than their disks are wide
_NEGATIVE, _POSITIVE = "negative", "positive"


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one level: `labels` 0 or 1, `probs`, and the patient of each (n,)."""

    labels: Ints
    probs: Floats
    patients: NDArray[np.generic]

    @classmethod
    def of(cls, table: pd.DataFrame, column: str = "prob") -> Self:
        """Those of a table with patient_id, cancer and scores in `column`."""
        patients, _ = pd.factorize(table["patient_id"])
        labels = table["cancer"].to_numpy(np.int64)
        return cls(labels, table[column].to_numpy(np.float64), patients)

    @property
    def has_both(self) -> bool:
        """Whether both classes are there, without which no curve is defined."""
        return 0 < int(self.labels.sum()) < len(self.labels)


def level_kind(level: Level) -> str:
    """The class by which the page colors a level."""
    return f"s{LEVELS.index(level)}"


def roc_chart(levels: Mapping[Level, Rows], main: Level, drawn: Drawn) -> Markup:
    """ROC curves of the levels with both classes; the band is that of the main one."""
    chart = Chart(unit_axis("1 - specificity"), unit_axis("sensitivity"), "ROC curves")
    chart.diagonal()
    if levels[main].has_both:
        rows = levels[main]
        band = roc_band(rows.labels, rows.probs, rows.patients, drawn)
        chart.band(band.places.tolist(), band.low, band.high, level_kind(main))
    for level, rows in _main_last(levels, main):
        if curve := roc_curve(rows.labels, rows.probs):
            chart.line(curve.false_positive_rate, curve.sensitivity, level_kind(level))
    return chart.markup()


def pr_chart(levels: Mapping[Level, Rows], main: Level, drawn: Drawn) -> Markup:
    """Precision by recall of the levels with both classes; the band is that of the main one."""
    chart = Chart(unit_axis("recall (sensitivity)"), unit_axis("precision"), "Precision by recall")
    if levels[main].has_both:
        rows = levels[main]
        band = pr_band(rows.labels, rows.probs, rows.patients, drawn)
        chart.band(band.places.tolist(), band.low, band.high, level_kind(main))
    for level, rows in _main_last(levels, main):
        if curve := pr_curve(rows.labels, rows.probs):
            # precision between two recalls is that of the greater one, as average precision has it
            ends = int(np.searchsorted(curve.recall, 1.0)) + 1  # lower thresholds find nothing more
            recalls = np.repeat(np.append(0.0, curve.recall[:ends]), 2)[1:-1]
            chart.line(recalls, np.repeat(curve.precision[:ends], 2), level_kind(level))
    return chart.markup()


def calibration_chart(scores: Rows, risks: Rows | None, drawn: Drawn) -> Markup:
    """Share of cancers by mean score in bins of equally many rows, with intervals.

    `risks` has the same rows with calibrated probabilities, drawn over the scores.
    """
    kinds = {"s0": scores, "s1": risks} if risks else {"s1": scores}
    bands = {k: reliability_band(r.labels, r.probs, r.patients, drawn) for k, r in kinds.items()}
    most = max(max(band.places.max(), band.high.max()) for band in bands.values())
    up = _probability_axis("share with cancer", most)
    ends = [float(end(band.places)) for end in (np.min, np.max) for band in bands.values()]
    low, high = min(ends), max(ends)
    across = _probability_axis("mean score", most)
    if 0 < high - low < _NARROW * across.high:
        across = nice_axis("mean score", low, high)
    chart = Chart(across, up, "Share with cancer by mean score")
    chart.diagonal()
    for kind, band in bands.items():
        for x, low, high in zip(band.places, band.low, band.high, strict=True):
            chart.whisker(x, low, high, kind)
        found = reliability(kinds[kind].labels, kinds[kind].probs)
        assert found is not None, "a band of no rows"
        chart.points(found.probability, found.share, kind)
    return chart.markup()


def histogram(rows: Rows, threshold: float | None) -> Markup:
    """Scores of rows without and with cancer, each as a share of its class, side by side."""
    edges = np.linspace(0, 1, _SCORE_BINS + 1)
    shares = {}
    for kind, label in ((_NEGATIVE, 0), (_POSITIVE, 1)):
        own = rows.probs[rows.labels == label]
        shares[kind] = np.histogram(own, edges)[0] / max(len(own), 1)
    most = max(float(share.max()) for share in shares.values())
    chart = Chart(unit_axis("score"), _probability_axis("share of the class", most), "Scores")
    half = (edges[1] - edges[0]) / 2
    for shift, (kind, heights) in zip((0.0, half), shares.items(), strict=True):
        for left, height in zip(edges, heights, strict=False):
            chart.bar(left + shift, left + shift + half, float(height), kind)
    if threshold is not None and 0 <= threshold <= 1:
        chart.rule(threshold, "threshold")
    return chart.markup()


def _main_last(levels: Mapping[Level, Rows], main: Level) -> list[tuple[Level, Rows]]:
    """The levels, the main one last, so that no other covers it."""
    return sorted(levels.items(), key=lambda item: item[0] == main)


def _probability_axis(label: str, most: float) -> Axis:
    return unit_axis(label) if most > 0.5 else nice_axis(label, 0.0, most or 1.0)
