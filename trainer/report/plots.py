"""Curves for the report, as SVG."""

import io
from typing import Final

import pandas as pd

from trainer.aggregation.levels import LEVELS, aggregate

_COLORS: Final = {"image": "#7f7f7f", "breast": "#b5446e", "patient": "#2b6ca3"}


def roc_figure(scores: pd.DataFrame) -> bytes:
    """An SVG of the ROC curves on every level that has both classes."""
    from matplotlib import rc_context  # noqa: PLC0415 - 1 s to import
    from matplotlib.figure import Figure  # noqa: PLC0415
    from sklearn.metrics import roc_auc_score, roc_curve  # noqa: PLC0415

    figure = Figure(figsize=(4.4, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="#bbbbbb", linewidth=1, linestyle="--")
    for level in LEVELS:
        rows = aggregate(scores, level)
        labels = rows["cancer"].to_numpy(dtype=int)
        if labels.min() == labels.max():
            continue
        false_rate, true_rate, _ = roc_curve(labels, rows["prob"])
        text = f"{level}  {roc_auc_score(labels, rows['prob']):.3f}"
        axes.plot(false_rate, true_rate, color=_COLORS[level], linewidth=1.8, label=text)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    axes.set_aspect("equal")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(title="AUROC", loc="lower right", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "mammo", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
