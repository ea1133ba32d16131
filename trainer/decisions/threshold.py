"""The probability from which on a score counts as a finding."""

import numpy as np
import pandas as pd
from sklearn.metrics import precision_recall_curve

from trainer.aggregation.levels import Level, aggregate


def f1_threshold(scores: pd.DataFrame, level: Level) -> float | None:
    """The least threshold with the greatest F1 of scores >= it, None where a class is missing.

    `scores` has a row per image with patient_id, laterality, prob and cancer (0 or 1). Chosen on
    the scores that it is then applied to, it flatters them.
    """
    table = aggregate(scores, level)
    labels = table["cancer"].to_numpy(np.int64)
    if not 0 < labels.sum() < len(labels):
        return None
    precision, recall, thresholds = precision_recall_curve(labels, table["prob"])
    both = precision[:-1] + recall[:-1]
    f1 = np.divide(2 * precision[:-1] * recall[:-1], both, out=np.zeros_like(both), where=both > 0)
    return float(thresholds[np.argmax(f1)])
