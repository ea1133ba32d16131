"""Calibrations against regressions of scikit-learn and against pools by hand."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from dali_pipelines.errors import CheckpointError, DatasetError
from trainer.decisions.calibrate import fit_calibration
from trainer.decisions.calibration import METHODS, Calibration, Method, calibration_of

Floats = NDArray[np.float64]


def study(sharper: float, seed: int = 0, n: int = 3000) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Scores that claim `sharper` times the logit that they have, that logit, and labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1.5, n)
    labels = (rng.random(n) < expit(logits)).astype(np.int64)
    return expit(sharper * logits), logits, labels


def regression(scores: Floats, targets: Floats, *, intercept: bool) -> LogisticRegression:
    """Logistic regression on targets in [0, 1]: each row once as a 1 and once as a 0, weighted."""
    rows = np.concatenate([scores, scores])[:, None]
    labels = np.repeat([1, 0], len(scores))
    weights = np.concatenate([targets, 1 - targets])
    model = LogisticRegression(C=np.inf, fit_intercept=intercept, tol=1e-10, max_iter=10_000)
    return model.fit(rows, labels, weights)


def test_temperature_takes_back_what_was_too_sure() -> None:
    probs, logits, labels = study(sharper=4.0)
    found = fit_calibration("temperature", probs, labels)
    wanted = regression(4 * logits, labels.astype(float), intercept=False)
    assert found.scale == pytest.approx(wanted.coef_[0, 0], rel=1e-5)
    assert found.scale == pytest.approx(1 / 4, rel=0.1)
    assert found.offset == 0
    assert found.risk(probs) == pytest.approx(expit(found.scale * 4 * logits))


def test_platt_is_the_regression_on_his_targets() -> None:
    probs, logits, labels = study(sharper=0.5)
    found = fit_calibration("platt", probs, labels)
    ones, zeros = labels.sum(), (1 - labels).sum()
    targets = np.where(labels == 1, (ones + 1) / (ones + 2), 1 / (zeros + 2))
    wanted = regression(0.5 * logits, targets, intercept=True)
    assert found.scale == pytest.approx(wanted.coef_[0, 0], rel=1e-5)
    assert found.offset == pytest.approx(wanted.intercept_[0], rel=1e-5)


def test_platt_stays_finite_where_the_classes_are_apart() -> None:
    probs, labels = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])
    found = fit_calibration("platt", probs, labels)
    assert found.risk(np.array([0.0, 1.0])) == pytest.approx([0, 1], abs=1e-6)
    # two of each: the targets are 3/4 and 1/4
    assert found.risk(probs) == pytest.approx([0.22, 0.28, 0.72, 0.78], abs=0.03)


def test_isotonic_pools_what_is_out_of_order_by_hand() -> None:
    probs = np.array([0.1, 0.2, 0.3, 0.4, 0.4, 0.9])
    labels = np.array([0, 1, 0, 1, 0, 1])
    # 0 | 1 0 1 0 pool to 1/2 (0.2 ... 0.4) | 1
    found = fit_calibration("isotonic", probs, labels)
    at = np.array([0.0, 0.1, 0.15, 0.2, 0.3, 0.4, 0.65, 0.9, 1.0])
    assert found.risk(at) == pytest.approx([0, 0, 0.25, 0.5, 0.5, 0.5, 0.75, 1, 1])


@pytest.mark.parametrize(("n", "steps"), [(40, 6), (2000, 300)])
def test_isotonic_is_that_of_scikit_learn_also_with_ties(n: int, steps: int) -> None:
    probs, _, labels = study(sharper=1.0, n=n)
    tied = np.round(probs * steps) / steps
    found = fit_calibration("isotonic", tied, labels)
    wanted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(tied, labels)
    at = np.linspace(0, 1, 1001)
    assert found.risk(at) == pytest.approx(wanted.predict(at), abs=1e-12)
    assert len(found.knots) == len(wanted.X_thresholds_)


@pytest.mark.parametrize("method", METHODS)
def test_scores_that_order_the_wrong_way_round_tell_little_but_never_the_wrong_thing(
    method: Method,
) -> None:
    probs, _, labels = study(sharper=-1.0)
    found = fit_calibration(method, probs, labels)
    risks = found.risk(np.linspace(0, 1, 101))
    assert (np.diff(risks) >= 0).all()
    if method != "temperature":  # which cannot give all the same
        assert risks == pytest.approx(labels.mean(), abs=0.02)


@settings(max_examples=150)
@given(
    method=st.sampled_from(METHODS),
    rows=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), min_size=2, max_size=20).filter(
        lambda rows: 0 < sum(label for _, label in rows) < len(rows)
    ),
)
def test_a_risk_is_a_probability_that_never_falls_and_goes_into_a_file_and_back(
    method: Method, rows: list[tuple[float, int]]
) -> None:
    probs, labels = np.array([p for p, _ in rows]), np.array([label for _, label in rows])
    found = fit_calibration(method, probs, labels)
    risks = found.risk(np.sort(np.concatenate([probs, [0.0, 1.0]])))
    assert ((risks >= 0) & (risks <= 1)).all()
    assert (np.diff(risks) >= -1e-15).all()
    assert calibration_of(json.loads(json.dumps(found.to_dict())), "x") == found


def test_a_class_is_missing() -> None:
    with pytest.raises(DatasetError, match="found 0 positives among 3"):
        fit_calibration("platt", np.array([0.1, 0.2, 0.3]), np.zeros(3, np.int64))


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"method": "magic"},
        {"method": ["platt"]},
        {"method": "platt", "scale": 1.0},
        {"method": "platt", "scale": -1.0, "offset": 0.0},
        {"method": "temperature", "scale": float("nan"), "offset": 0.0},
        {"method": "isotonic"},
        {"method": "isotonic", "knots": []},
        {"method": "isotonic", "knots": [[0.1]]},
        {"method": "isotonic", "knots": [0.1, 0.2]},
        {"method": "isotonic", "knots": [["0.1", 0.2]]},
        {"method": "isotonic", "knots": [[0.1, 0.3], [0.2, 0.2]]},
        {"method": "isotonic", "knots": [[0.2, 0.1], [0.2, 0.2]]},
        {"method": "isotonic", "knots": [[0.2, 0.1], [1.2, 0.2]]},
        {"method": "isotonic", "knots": [[0.2, -0.1], [0.3, 0.2]]},
    ],
)
def test_nonsense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="the file has"):
        calibration_of(document, "the file")


def test_the_ends_of_scores_have_risks() -> None:
    for calibration in (Calibration("platt", 2.0, 1.0), Calibration("temperature", 0.1)):
        risks = calibration.risk(np.array([0.0, 1.0]))
        assert np.isfinite(risks).all()
        assert risks[0] < 0.1
        assert risks[1] > 0.9
