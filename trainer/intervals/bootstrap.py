"""Intervals of figures by drawing patients: one woman's rows are not independent.

As many patients as there are, drawn with replacement, each with all of her rows: Efron and
Tibshirani 1993, "An Introduction to the Bootstrap", and Field and Welsh 2007, "Bootstrapping
Clustered Data". A bootstrap of rows takes the rows of one woman for news, and is too sure.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.intervals.interval import Interval
from trainer.intervals.spread import area_interval, positive_interval, proportion_interval
from trainer.metrics.figures import figures_of_draws
from trainer.metrics.probability import MOST_LOG_LOSS
from trainer.metrics.ranked import Floats, Ints, Ranked
from trainer.metrics.ranking import least_partial_auroc

Patients = NDArray[np.generic]
Weights = NDArray[np.int32]  # (R, n): how often each row counts, in each of R draws

# Above 0 for calibrated scores too, and further above in each draw: with 300 patients of 1,400
# images 0.020 on average, four times its deviation of 0.005.
BIASED: Final = frozenset({"ece", "ece_mass"})

_CELLS: Final = 1 << 20  # weights (draws x rows) held at a time: 8 MB, so that they stay in a cache
_AREAS: Final = {"auroc", "auprc", "pauc_spec80", "spec_at_sens90"}
_LEAST: Final = {"pauc_spec80": least_partial_auroc(0.8)}  # where it is not 0
_ROUNDING: Final = 1e-12  # no draws differ by so little


def patient_bootstrap(  # noqa: PLR0913 - the options of an evaluation, given by name
    labels: Ints,
    probs: NDArray[np.floating],
    patients: Patients,
    figures: Sequence[str],
    *,
    repeats: int = 1000,
    seed: int = 0,
    threshold: float | None = None,
    confidence: float = 0.95,
) -> dict[str, Interval | None]:
    """The confidence interval of each named figure, from drawing patients anew.

    `labels`, `probs` and `patients` are (n,), a row an image, breast or exam; `figures` are of
    SCORE_FIGURES and, with a threshold, THRESHOLD_FIGURES of `metrics.figures`, all taken from the
    same draws. The same seed gives the same intervals. None where the data do not define the
    figure, where it rests on fewer than two patients (`units_of`), and for BIASED.
    """
    ranked = Ranked.of(labels, probs)
    called = None if threshold is None else probs >= threshold
    judged = [name for name in figures if name not in BIASED]

    def values(weights: Weights) -> dict[str, Floats]:
        return figures_of_draws(ranked.under(weights), judged, threshold)

    found: dict[str, Interval | None] = dict.fromkeys(figures)
    units = units_of(judged, labels, patients, called)
    for name, spread in spreads_of_draws(values, patients, repeats, seed).items():
        if spread is not None and units[name] > 1:
            estimate, deviation = spread
            error = error_of_draws(deviation, units[name])
            found[name] = _interval(name, estimate, error, units[name], confidence)
    return found


def spreads_of_draws(
    values: Callable[[Weights], dict[str, Floats]], patients: Patients, repeats: int, seed: int
) -> dict[str, tuple[float, float] | None]:
    """Each figure of the data as they are, with its standard deviation over draws of patients.

    `values` gives the figures (R,) under weights (R, n) of the rows. A draw that does not define a
    figure, having one class only, is left out. None where the data do not define it.
    """
    whole = values(np.ones((1, len(patients)), dtype=np.int32))
    drawn = [values(weights) for weights in drawn_weights(patients, repeats, seed)]
    spreads: dict[str, tuple[float, float] | None] = {}
    for name, (estimate,) in whole.items():
        found = np.concatenate([np.empty(0), *(block[name] for block in drawn)])
        defined = found[~np.isnan(found)]
        if np.isnan(estimate) or len(defined) < 2:
            spreads[name] = None
        else:
            deviation = float(defined.std(ddof=1))
            spreads[name] = (float(estimate), deviation if deviation > _ROUNDING else 0.0)
    return spreads


def error_of_draws(deviation: float, units: int) -> float:
    """The standard error of a figure that rests on `units` > 1 patients, from draws of them.

    Draws vary as if the patients seen were all there are, which is too little by 1 - 1 / units of
    the variance: the narrowness bias of Hesterberg 2015, "What Teachers Should Know About the
    Bootstrap".
    """
    return deviation * math.sqrt(units / (units - 1))


def units_of(
    figures: Sequence[str],
    labels: Ints,
    patients: Patients,
    called: NDArray[np.bool_] | None = None,
) -> dict[str, int]:
    """How many patients each figure rests on: those with a row of the class that fewer have.

    Recall rests on those with a positive row, specificity on those with a negative one, precision
    on those with a row that is `called` (n,), at or above the threshold. Where a class is missing,
    the others rest on all.
    """
    positive, negative = (len(np.unique(patients[labels == kind])) for kind in (1, 0))
    own = {"recall": positive, "specificity": negative}
    if called is not None:
        own["precision"] = len(np.unique(patients[called]))
    usual = min(positive, negative) or positive + negative
    return {name: own.get(name, usual) for name in figures}


def _interval(
    figure: str, estimate: float, error: float, units: int, confidence: float
) -> Interval:
    if figure == "logloss":
        ends = positive_interval(estimate, error, units, confidence)
        return Interval(ends.low, min(ends.high, MOST_LOG_LOSS))
    kind = area_interval if figure in _AREAS else proportion_interval
    least = _LEAST.get(figure, 0.0)
    span = 1 - least
    share = kind((estimate - least) / span, error / span, units, confidence)
    return Interval(least + span * share.low, least + span * share.high)


def drawn_weights(patients: Patients, repeats: int, seed: int) -> Iterator[Weights]:
    """Blocks of weights (R, n): how often each row counts when as many patients are drawn."""
    rng = np.random.default_rng(seed)
    known, codes = np.unique(patients, return_inverse=True)
    block = max(_CELLS // max(len(codes), 1), 1)
    for start in range(0, repeats, block):
        size = min(block, repeats - start)
        picks = rng.integers(0, len(known), (size, len(known)))
        picks += np.arange(size)[:, None] * len(known)
        times = np.bincount(picks.ravel(), minlength=size * len(known)).astype(np.int32)
        yield np.take(times.reshape(size, len(known)), codes, axis=1)
