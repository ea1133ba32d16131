"""Curves as tables: a row a point, with the interval of its height when patients are drawn."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from trainer.evaluation.bands import Drawn, pr_band, reliability_band, roc_band
from trainer.metrics.curves import pr_curve, reliability, roc_curve
from trainer.metrics.ranked import Floats, Ints

Kind = Literal["roc", "pr", "calibration"]
AXES: Final[Mapping[Kind, tuple[str, str]]] = {  # the columns that are drawn
    "roc": ("false_positive_rate", "sensitivity"),
    "pr": ("recall", "precision"),
    "calibration": ("probability", "share"),
}


def curve_table(
    kind: Kind, level_table: pd.DataFrame, drawn: Drawn | None = None
) -> pd.DataFrame | None:
    """The curve of the rows of one level (patient_id, prob, cancer); None where a class is missing.

    Columns are the two of AXES, `threshold` or, of the bins of calibration, `rows` and `positives`,
    then `low` and `high`, the interval at that place alone; NaN where nothing is to be drawn.
    """
    labels = level_table["cancer"].to_numpy(np.int64)
    probs = level_table["prob"].to_numpy(np.float64)
    patients, _ = pd.factorize(level_table["patient_id"], sort=True)
    curve = _CURVES[kind](labels, probs)
    if curve is None or not 0 < labels.sum() < len(labels):
        return None
    points = pd.DataFrame(asdict(curve))
    if drawn is None:
        return points.assign(low=np.nan, high=np.nan)
    band = _BANDS[kind](labels, probs, patients, drawn)
    at = points[AXES[kind][0]].to_numpy(np.float64)
    return points.assign(
        low=np.interp(at, band.places, band.low), high=np.interp(at, band.places, band.high)
    )


# each gives a dataclass of arrays, or None
_CURVES: Final[Mapping[Kind, Callable[[Ints, Floats], Any]]] = {
    "roc": roc_curve,
    "pr": pr_curve,
    "calibration": reliability,
}
_BANDS: Final = {"roc": roc_band, "pr": pr_band, "calibration": reliability_band}
