"""Calibrations fitted to labeled scores."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize, minimize_scalar
from scipy.special import expit, log_expit, logit

from dali_pipelines.errors import DatasetError
from trainer.decisions.calibration import Calibration, Method, clipped_logit

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# 1 / T: scores that set the classes apart would have it grow without end, those that order them
# the wrong way round fall to 0
_SCALES: Final = (0.05, 20.0)


def fit_calibration(method: Method, probs: Floats, labels: Ints) -> Calibration:
    """The calibration that makes scores (n,) in [0, 1] the risks of labels (n,), 0 or 1.

    temperature: one number, the least log loss (Guo et al. 2017, "On Calibration of Modern Neural
    Networks"). platt: two, with Platt's targets, which keep them finite (Platt 1999). isotonic: any
    curve that never falls (Zadrozny and Elkan 2002); it wants a thousand scores or more
    (Niculescu-Mizil and Caruana 2005), and risks of exactly 0 and 1 come out of it.

    A risk never falls where scores rise: fitted to scores that order the classes the wrong way
    round, platt and isotonic give all the same risk. Raises DatasetError where a class is missing.
    """
    if not 0 < labels.sum() < len(labels):
        raise DatasetError(
            f"calibration needs scores of both classes, found {int(labels.sum())} positives among "
            f"{len(labels)}"
        )
    if method == "isotonic":
        return _isotonic(probs, labels)
    logits = clipped_logit(probs)
    return _temperature(logits, labels) if method == "temperature" else _platt(logits, labels)


def _temperature(logits: Floats, labels: Ints) -> Calibration:
    low, high = np.log(_SCALES)
    found = minimize_scalar(
        lambda scale: _log_loss(np.exp(scale) * logits, labels),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return Calibration("temperature", scale=float(np.exp(found.x)))


def _platt(logits: Floats, labels: Ints) -> Calibration:
    positives, negatives = int(labels.sum()), int((1 - labels).sum())
    targets = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    center, spread = logits.mean(), logits.std()
    scale, offset = 0.0, float(logit(targets.mean()))  # of scores that tell nothing
    if spread > 0:
        slope, height = _two_numbers((logits - center) / spread, targets, offset)
        if slope > 0:
            scale, offset = float(slope / spread), float(height - slope * center / spread)
    return Calibration("platt", scale, offset)


def _two_numbers(scores: Floats, targets: Floats, start: float) -> Floats:
    """Slope and height of the least log loss, by Newton's method: the loss is convex."""
    rows = np.stack([scores, np.ones_like(scores)])

    def gradient(x: Floats) -> Floats:
        return np.asarray(rows @ (expit(x @ rows) - targets) / len(targets))

    def curvature(x: Floats) -> Floats:
        risk = expit(x @ rows)
        return np.asarray((rows * (risk * (1 - risk))) @ rows.T / len(targets))

    found = minimize(
        lambda x: _log_loss(x @ rows, targets),
        np.array([0.0, start]),
        method="trust-exact",
        jac=gradient,
        hess=curvature,
        options={"gtol": 1e-9},
    )
    return np.asarray(found.x)


def _isotonic(probs: Floats, labels: Ints) -> Calibration:
    """The curve of least squared error, by the ends of its level parts."""
    scores, rows, counts = np.unique(probs, return_inverse=True, return_counts=True)
    shares = np.bincount(rows, weights=labels) / counts
    risks = np.clip(isotonic_regression(shares, weights=counts).x, 0, 1)
    is_level = np.diff(risks) == 0
    is_inside = np.append(False, is_level) & np.append(is_level, False)
    pairs = zip(scores[~is_inside].tolist(), risks[~is_inside].tolist(), strict=True)
    return Calibration("isotonic", knots=tuple(pairs))


def _log_loss(logits: Floats, targets: NDArray[np.generic]) -> float:
    return float(-np.mean(targets * log_expit(logits) + (1 - targets) * log_expit(-logits)))
