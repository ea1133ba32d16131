"""Figures of scores as probabilities: pF1, and how far they are from what happened.

Each takes R weightings of the same rows and gives (R,) values, NaN where they define none.
"""

import math

import numpy as np

from trainer.metrics.ranked import Draws, Floats, ratio

_TINY = float(np.finfo(np.float64).eps)
MOST_LOG_LOSS = -math.log(_TINY)  # 36.04, of a row of whose opposite a model is certain
BINS = 15  # of Guo et al. 2017, "On Calibration of Modern Neural Networks", section 4


def probabilistic_f(draws: Draws, beta: float = 1.0) -> Floats:
    """Probabilistic F score in [0, 1], the metric of RSNA 2023; NaN without positives.

    Each row counts as `prob` of a detection, so 0/1 scores give the ordinary F score; 0 where no
    probability lies on a positive.
    Source: Yacouby and Axman 2020, "Probabilistic Extension of Precision, Recall, and F1 Score".
    """
    clipped = np.clip(draws.ranked.probs, 0.0, 1.0)
    true_mass = draws.total(clipped * draws.ranked.labels)
    whole = beta**2 * draws.positives + draws.total(clipped)
    return np.where(draws.positives > 0, ratio((1 + beta**2) * true_mass, whole), np.nan)


def brier(draws: Draws) -> Floats:
    """The mean squared difference of probability and label, in [0, 1]."""
    return _mean(draws, (draws.ranked.probs - draws.ranked.labels) ** 2)


def log_loss(draws: Draws) -> Floats:
    """The mean of -log(probability of what happened), natural, of scores off 0 and 1 by 2^-52."""
    right = np.where(draws.ranked.labels == 1, draws.ranked.probs, 1 - draws.ranked.probs)
    return _mean(draws, -np.log(np.clip(right, _TINY, 1 - _TINY)))


def calibration_error(draws: Draws, bins: int = BINS) -> Floats:
    """Expected calibration error in [0, 1] over `bins` bins of equal width.

    The mean over rows of |share of positives - mean probability| of their bin. It is never
    negative, so with few rows it is above 0 for a calibrated model too.
    Source: Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
    """
    places = np.minimum((draws.ranked.probs * bins).astype(np.intp), bins - 1)
    return _error_of_bins(draws, places)


def calibration_error_of_equal_bins(draws: Draws, bins: int = BINS) -> Floats:
    """Expected calibration error over bins of equally many rows, ties in one bin.

    At a prevalence of screening nearly all rows fall in the first bin of equal width; these bins
    show them apart. The bins are those of the data as they are in every draw.
    Source: Nguyen and O'Connor 2015, "Posterior Calibration and Exploratory Analysis".
    """
    return _error_of_bins(draws, equal_bins(draws.ranked.probs, bins))


def equal_bins(probs: Floats, bins: int = BINS) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """The bin (n,) of each row: by the count of rows below it, so that ties share a bin."""
    below = np.searchsorted(np.sort(probs), probs, side="left")
    return (below * bins // max(len(probs), 1)).astype(np.intp)


def _error_of_bins(draws: Draws, places: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Floats:
    excess = np.zeros((len(places), BINS if not len(places) else int(places.max()) + 1))
    excess[np.arange(len(places)), places] = draws.ranked.probs - draws.ranked.labels
    return ratio(np.abs(draws.total(excess)).sum(axis=1), draws.weights.sum(axis=1))


def _mean(draws: Draws, values: Floats) -> Floats:
    return ratio(draws.total(values), draws.weights.sum(axis=1))
