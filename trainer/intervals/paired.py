"""Two models on the same rows, compared by drawing patients."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trainer.intervals.bootstrap import (
    BIASED,
    Patients,
    Weights,
    error_of_draws,
    spreads_of_draws,
    units_of,
)
from trainer.intervals.interval import Comparison
from trainer.intervals.spread import difference_interval
from trainer.metrics.figures import figures_of_draws
from trainer.metrics.probability import MOST_LOG_LOSS
from trainer.metrics.ranked import Floats, Ints, Ranked


def paired_bootstrap(  # noqa: PLR0913 - the options of an evaluation, given by name
    labels: Ints,
    a: NDArray[np.floating],
    b: NDArray[np.floating],
    patients: Patients,
    figures: Sequence[str],
    *,
    repeats: int = 1000,
    seed: int = 0,
    thresholds: tuple[float, float] | None = None,
    confidence: float = 0.95,
) -> dict[str, Comparison | None]:
    """How much greater each figure is with scores `b` than with `a`, both of the same rows (n,).

    Each draw has the same patients for both models, so what is hard or easy for both cancels out.
    `thresholds` are those of a and of b, for THRESHOLD_FIGURES. None where the data do not define
    the figure, where it rests on fewer than two patients with either model, and for BIASED.
    """
    first, second = Ranked.of(labels, a), Ranked.of(labels, b)
    of_a, of_b = thresholds or (None, None)
    called = [None] if thresholds is None else [a >= thresholds[0], b >= thresholds[1]]
    judged = [name for name in figures if name not in BIASED]

    def differences(weights: Weights) -> dict[str, Floats]:
        before = figures_of_draws(first.under(weights), judged, of_a)
        after = figures_of_draws(second.under(weights), judged, of_b)
        return {name: after[name] - before[name] for name in judged}

    units = [units_of(judged, labels, patients, calls) for calls in called]
    found: dict[str, Comparison | None] = dict.fromkeys(figures)
    for name, spread in spreads_of_draws(differences, patients, repeats, seed).items():
        fewest = min(of_a_model[name] for of_a_model in units)
        if spread is not None and fewest > 1:
            most = MOST_LOG_LOSS if name == "logloss" else 1.0
            difference, error = spread[0], error_of_draws(spread[1], fewest)
            found[name] = difference_interval(difference, error, fewest, confidence, most)
    return found
