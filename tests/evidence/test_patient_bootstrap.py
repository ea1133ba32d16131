"""The interval that evidence is judged by: as scikit-learn and theory say, and by patient."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from tests.evidence.patient_bootstrap import auroc_interval, weighted_auroc


def scores_of(patients: int, seed: int = 0) -> pd.DataFrame:
    """One image of each patient; half are positive, by one deviation higher."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patients) % 2
    prob = rng.normal(labels.astype(float))
    return pd.DataFrame({"patient_id": np.arange(patients), "cancer": labels, "prob": prob})


def test_rows_that_count_twice_are_as_good_as_two_rows() -> None:
    labels, ranks = np.array([0, 1, 0, 1, 1]), np.array([0, 1, 1, 2, 0])
    weights = np.array([2, 0, 1, 3, 1])
    repeated = roc_auc_score(np.repeat(labels, weights), np.repeat(ranks, weights))
    assert weighted_auroc(labels, ranks, weights) == pytest.approx(repeated)
    # pairs 4 x 3: the three of rank 2 win all, the one of rank 0 ties with two and loses to one
    assert weighted_auroc(labels, ranks, weights) == pytest.approx((9 + 1) / 12)


def test_one_class_has_no_auroc() -> None:
    assert np.isnan(weighted_auroc(np.ones(3, int), np.arange(3), np.ones(3)))


def test_the_interval_is_as_wide_as_theory_says() -> None:
    found = auroc_interval(scores_of(400))
    a = found.auroc
    pairs = (a * (1 - a), a / (2 - a) - a**2, 2 * a**2 / (1 + a) - a**2)
    variance = (pairs[0] + 199 * (pairs[1] + pairs[2])) / 200**2  # Hanley and McNeil 1982
    assert found.high - found.low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.1)
    assert found.low < a < found.high


def test_more_images_of_the_same_patients_tell_nothing_new() -> None:
    once = scores_of(60)
    often = pd.concat([once] * 4, ignore_index=True)
    assert auroc_interval(often) == auroc_interval(once)
    assert auroc_interval(often.assign(patient_id=range(240))).low > auroc_interval(once).low
