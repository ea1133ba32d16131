"""Intervals of figures by drawing patients: one woman's rows are not independent.

As many patients as there are, drawn with replacement, each with all of her rows: Efron and
Tibshirani 1993, "An Introduction to the Bootstrap", and Field and Welsh 2007, "Bootstrapping
Clustered Data". A bootstrap of rows takes the rows of one woman for news, and is too sure.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.intervals.interval import Interval
from trainer.intervals.spread import area_interval, positive_interval, proportion_interval
from trainer.metrics.figures import figures_of_draws
from trainer.metrics.ranked import Floats, Ints, Ranked

Patients = NDArray[np.generic]
Weights = NDArray[np.int32]  # (R, n): how often each row counts, in each of R draws

# Above 0 for calibrated scores too, and further above in each draw: with 300 patients of 1,400
# images 0.020 on average, four times its deviation of 0.005.
BIASED: Final = frozenset({"ece", "ece_mass"})

_CELLS: Final = 1 << 20  # weights (draws x rows) held at a time: 8 MB, so that they stay in a cache
_AREAS: Final = {"auroc", "auprc", "pauc_spec80", "spec_at_sens90"}
_UNBOUNDED: Final = {"logloss"}


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
    figure, where fewer than two patients have a positive (or a negative) row, and for BIASED.
    """
    ranked = Ranked.of(labels, probs)
    judged = [name for name in figures if name not in BIASED]

    def values(weights: Weights) -> dict[str, Floats]:
        return figures_of_draws(ranked.under(weights), judged, threshold)

    found: dict[str, Interval | None] = dict.fromkeys(figures)
    for name, spread in spreads_of_draws(values, patients, repeats, seed).items():
        units = units_of(name, labels, patients)
        if spread is not None and units > 1:
            found[name] = _interval(name, *spread, units, confidence)
    return found


def spreads_of_draws(
    values: Callable[[Weights], dict[str, Floats]], patients: Patients, repeats: int, seed: int
) -> dict[str, tuple[float, float] | None]:
    """Each figure of the data as they are, with its standard error over draws of patients.

    `values` gives the figures (R,) under weights (R, n) of the rows. A draw that does not define a
    figure, having one class only, is left out of its error. None where the data do not define it.
    """
    whole = values(np.ones((1, len(patients)), dtype=np.int32))
    drawn = [values(weights) for weights in drawn_weights(patients, repeats, seed)]
    spreads: dict[str, tuple[float, float] | None] = {}
    for name, (estimate,) in whole.items():
        found = np.concatenate([np.empty(0), *(block[name] for block in drawn)])
        defined = found[~np.isnan(found)]
        known = not np.isnan(estimate) and len(defined) > 1
        spreads[name] = (float(estimate), float(defined.std(ddof=1))) if known else None
    return spreads


def units_of(figure: str, labels: Ints, patients: Patients) -> int:
    """How many patients a figure rests on: those with a row of the class that fewer have.

    Specificity rests on the negatives alone; where a class is missing, a figure rests on all.
    """
    positive, negative = (len(np.unique(patients[labels == kind])) for kind in (1, 0))
    if figure == "specificity":
        return negative
    return min(positive, negative) or positive + negative


def _interval(
    figure: str, estimate: float, error: float, units: int, confidence: float
) -> Interval:
    if figure in _UNBOUNDED:
        return positive_interval(estimate, error, units, confidence)
    kind = area_interval if figure in _AREAS else proportion_interval
    return kind(estimate, error, units, confidence)


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
