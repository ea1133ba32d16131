"""The AUROC of images with its interval over patients, as evidence records it."""

import numpy as np
import pandas as pd

from trainer.intervals.bootstrap import patient_bootstrap
from trainer.metrics.figures import score_figures


def image_auroc(scores: pd.DataFrame) -> dict[str, float]:
    """auroc, low and high (95 %) of a table with a row an image: patient_id, cancer and prob."""
    labels, probs = scores["cancer"].to_numpy(np.int64), scores["prob"].to_numpy(np.float64)
    patients = pd.factorize(scores["patient_id"])[0]
    interval = patient_bootstrap(labels, probs, patients, ["auroc"], repeats=2000)["auroc"]
    assert interval is not None, "too few patients for an interval"
    found = {"auroc": score_figures(labels, probs)["auroc"]}
    found |= {"low": interval.low, "high": interval.high}
    return {name: round(value, 4) for name, value in found.items() if value is not None}
