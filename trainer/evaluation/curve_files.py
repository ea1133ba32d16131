"""Curves of an evaluation for papers and spreadsheets: a CSV and a PNG each."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from dali_pipelines.atomic import replacing
from trainer.aggregation.levels import Level, aggregate
from trainer.evaluation.bands import Drawn
from trainer.evaluation.curve_tables import AXES, Kind, curve_table
from trainer.evaluation.options import EvaluationOptions
from trainer.metrics.figures import labeled_rows
from trainer.scores.writing import write_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOR: Final = "#2b6ca3"
_REFERENCE: Final[dict[str, Any]] = {"color": "#bbbbbb", "linewidth": 1, "linestyle": "--"}
_LABELS: Final = {
    "roc": ("1 - specificity", "sensitivity"),
    "pr": ("recall", "precision"),
    "calibration": ("mean score", "share with cancer"),
}


def write_curves(scores: pd.DataFrame, options: EvaluationOptions, folder: Path) -> list[Path]:
    """Write <kind>_<level>.csv and .png of each curve into `folder`, which is made; those files.

    A level without both classes has no curve. Raises DatasetError as `evaluate` does.
    """
    labeled = labeled_rows(scores)
    drawn = Drawn(options.repeats, options.seed, options.confidence) if options.repeats else None
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for level in options.levels:
        rows = aggregate(labeled, level, options.how)
        for kind in AXES:
            table = curve_table(kind, rows, drawn)
            if table is not None:
                written += _write(table, kind, level, folder / f"{kind}_{level}.csv")
    return written


def _write(table: pd.DataFrame, kind: Kind, level: Level, path: Path) -> list[Path]:
    picture = path.with_suffix(".png")
    write_scores(table, path)
    with replacing(picture) as aside:
        _draw(table, kind, level, aside)
    return [path, picture]


def _draw(table: pd.DataFrame, kind: Kind, level: Level, path: Path) -> None:
    """The picture of a curve, as a PNG."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - 1 s to import

    figure = Figure(figsize=(4.4, 4.4), layout="constrained")
    _fill(figure.subplots(), table, kind, level)
    figure.savefig(path, format="png", dpi=200, metadata={"Software": None})


def _fill(axes: "Axes", table: pd.DataFrame, kind: Kind, level: Level) -> None:
    """The curve with its band, and what chance or perfect calibration would give.

    Bins of calibration are points: a line between them would show the luck of each as a slope.
    """
    x, y = (table[name] for name in AXES[kind])
    low, high = table["low"], table["high"]
    if kind == "calibration":
        axes.axline((0, 0), slope=1, **_REFERENCE)
        reach = [(y - low).clip(lower=0), (high - y).clip(lower=0)]  # below 0 by rounding only
        axes.errorbar(x, y, reach, color=_COLOR, fmt="o", elinewidth=1.2)
    else:
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal")
        axes.fill_between(x, low, high, color=_COLOR, alpha=0.2, linewidth=0)
        axes.plot(x, y, color=_COLOR, drawstyle="steps-pre" if kind == "pr" else "default")
    if kind == "roc":
        axes.plot([0, 1], [0, 1], **_REFERENCE)
    across, up = _LABELS[kind]
    axes.set(xlabel=across, ylabel=up, title=level)
    axes.spines[["top", "right"]].set_visible(False)
