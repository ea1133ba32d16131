"""The AUROC with its 95 % interval over patients: one woman's images are not independent."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DRAWS = 2000


@dataclass(frozen=True)
class Interval:
    """An AUROC, and the 2.5th and 97.5th percentile of it when patients are drawn anew."""

    auroc: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in vars(self).items()}


def auroc_interval(scores: pd.DataFrame, seed: int = 0) -> Interval:
    """The interval of a table with a row an image: patient_id, cancer (0 or 1) and prob.

    As many patients as there are, drawn with replacement, each with all of her images. A draw
    without both classes, which has no AUROC, is left out.
    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", section 13.3.
    """
    rng = np.random.default_rng(seed)
    codes, patients = pd.factorize(scores["patient_id"])
    labels = scores["cancer"].to_numpy(dtype=np.int64)
    ranks = np.unique(scores["prob"], return_inverse=True)[1]
    found = []
    for _ in range(DRAWS):
        times = np.bincount(rng.integers(0, len(patients), len(patients)), minlength=len(patients))
        found.append(weighted_auroc(labels, ranks, times[codes]))
    low, high = np.nanpercentile(found, [2.5, 97.5])
    whole = weighted_auroc(labels, ranks, np.ones(len(labels)))
    return Interval(float(whole), float(low), float(high))


def weighted_auroc(
    labels: NDArray[np.int64], ranks: NDArray[np.int64], weights: NDArray[np.float64]
) -> float:
    """The share of pairs of a positive and a negative that are in order, ties by half, else NaN.

    `ranks` count the distinct scores from 0; each row (n,) counts `weights` times.
    """
    positive = np.bincount(ranks, weights * (labels == 1))
    negative = np.bincount(ranks, weights * (labels == 0))
    pairs = positive.sum() * negative.sum()
    below = np.cumsum(negative) - negative / 2
    return float(positive @ below / pairs) if pairs else float("nan")
