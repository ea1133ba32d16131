"""How learning went: the loss and the figures of the held-out fold, epoch by epoch."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from trainer.aggregation.levels import LEVELS
from trainer.report.run_facts import RunFacts
from trainer.report.score_charts import level_kind
from trainer.report.score_part import FIGURES
from trainer.report.svg import Axis, Chart, nice_axis

_LOSS: Final = "train/loss"
_KINDS: Final = 6  # colors of the page, taken in turn by folds


@dataclass(frozen=True, slots=True)
class Curves:
    """Two charts with what their lines are: (color, name, value at the best epoch) each.

    `figure` is what the second one shows; it is None where no fold was held out. A chart without a
    single number in it is None, too.
    """

    loss: Markup | None
    figure: Markup | None
    figure_name: str
    lines: Sequence[tuple[str, str, str]]


def learning_curves(runs: Sequence[RunFacts]) -> Curves | None:
    """The curves of one run by level, or of several by fold; None where no epoch is done."""
    if not any(run.history for run in runs):
        return None
    epochs = _epoch_axis(runs)
    loss = _chart(epochs, "training loss", [(f"s{_kind(k)}", _LOSS, r) for k, r in _each(runs)])
    name = _monitored(runs[0])
    if len(runs) == 1:
        keys = [(level_kind(level), f"val/{level}/{name.partition('/')[2]}") for level in LEVELS]
        series = [(kind, key, runs[0]) for kind, key in keys]
    else:
        series = [(f"s{_kind(k)}", f"val/{name}", run) for k, run in _each(runs)]
    shown = [one for one in series if _points(one[2].history, one[1])]
    level, _, figure = name.partition("/")
    label = FIGURES.get(figure, figure) + (f" by {level}" if len(runs) > 1 else "")
    lines = [(kind, _name(key, run, runs), _best(key, run)) for kind, key, run in shown]
    return Curves(loss, _chart(epochs, f"held-out {label}", shown), label, lines)


def _each(runs: Sequence[RunFacts]) -> list[tuple[int, RunFacts]]:
    return list(enumerate(runs))


def _kind(number: int) -> int:
    return number % _KINDS


def _monitored(run: RunFacts) -> str:
    """The figure that decided which epoch was the best: "breast/auroc"."""
    return str(run.settings.get("monitor", "breast/auroc"))


def _epoch_axis(runs: Sequence[RunFacts]) -> Axis:
    last = max(row["epoch"] for run in runs for row in run.history)
    axis = nice_axis("epoch", 0.0, float(last))
    ticks = tuple(tick for tick in axis.ticks if tick == int(tick) and 1 <= tick <= last)
    return Axis("epoch", min(1.0, last - 0.5), float(last), (1.0, *ticks[ticks[:1] == (1.0,) :]))


def _chart(epochs: Axis, label: str, series: Sequence[tuple[str, str, RunFacts]]) -> Markup | None:
    """Lines of the named figures over epochs; None where there is no value at all."""
    lines = [(kind, _points(run.history, name)) for kind, name, run in series]
    values = [value for _, points in lines for _, value in points]
    if not values:
        return None
    chart = Chart(epochs, nice_axis(label, *_limits(values)), f"{label} by epoch", height=240)
    for kind, points in lines:
        xs, ys = [x for x, _ in points], [y for _, y in points]
        chart.line(xs, ys, kind)
        if len(xs) <= 1:  # a line of one point cannot be seen
            chart.points(xs, ys, kind)
    return chart.markup()


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """From 0 where the values are near it, for else small changes look like large ones."""
    low, high = min(values), max(values)
    return (0.0 if low < 0.5 * high else low), high


def _points(history: Sequence[Mapping[str, Any]], name: str) -> list[tuple[float, float]]:
    """Those with a value; what a loss that grew without end became is none."""
    known = [row for row in history if row.get(name) is not None and math.isfinite(row[name])]
    return [(row["epoch"], row[name]) for row in known]


def _name(figure: str, run: RunFacts, runs: Sequence[RunFacts]) -> str:
    return figure.split("/")[1] if len(runs) == 1 else f"fold {run.fold}"


def _best(figure: str, run: RunFacts) -> str:
    """The value of the epoch that was kept, or the greatest one."""
    epoch = run.best.get("epoch")
    values = dict(_points(run.history, figure))
    value = values[epoch] if epoch in values else max(values.values())
    return f"{value:.3f}"
