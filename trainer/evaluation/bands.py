"""How sure a curve is: at each place the interval of its height when patients are drawn anew.

Heights are shares, with intervals as `intervals.spread` makes them. Such a band holds at one place
with the confidence stated, not along the whole curve at once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from trainer.intervals.bootstrap import drawn_weights, error_of_draws, units_of
from trainer.intervals.interval import Interval
from trainer.intervals.spread import proportion_interval
from trainer.metrics.probability import equal_bins
from trainer.metrics.ranked import Draws, Floats, Ints, Ranked, ratio

GRID: Final = np.linspace(0.0, 1.0, 101)  # where a band is computed: each percent
_FEWEST: Final = 0.5  # a drawn row counts 1 at least, so this asks for any positive
_SLACK: Final = 1e-9  # 0.29 * 100 is a little above 29 in binary
_NOTHING_KNOWN: Final = Interval(0.0, 1.0)  # of a single patient


@dataclass(frozen=True, eq=False)
class Band:
    """The interval `low` ... `high` of a curve's height at each of `places`; (G,) each."""

    places: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Drawn:
    """How patients are drawn."""

    repeats: int = 1000
    seed: int = 0
    confidence: float = 0.95


_USUAL: Final = Drawn()


def roc_band(
    labels: Ints, probs: Floats, patients: NDArray[np.generic], drawn: Drawn = _USUAL
) -> Band:
    """The band of the sensitivity over the false positive rate.

    At a rate of 1 all are called, so that the sensitivity is 1 for sure. Just before, where none is
    missed already, the low end is that of a share of 1.
    """
    units = np.full(len(GRID), units_of(["auroc"], labels, patients)["auroc"])
    band = _band(labels, probs, patients, drawn, _sensitivities, units)
    return Band(band.places, np.append(band.low[:-1], 1.0), band.high)


def pr_band(
    labels: Ints, probs: Floats, patients: NDArray[np.generic], drawn: Drawn = _USUAL
) -> Band:
    """The band of the precision at the highest threshold with at least a recall, never none.

    A precision rests on the patients who are called there.
    """
    ranked = Ranked.of(labels, probs)
    named = np.unique(patients[ranked.order], return_index=True)[1]
    called = np.cumsum(np.bincount(named, minlength=len(labels)))[ranked.ends]
    units = called[_places(np.cumsum(ranked.labels)[ranked.ends])]
    return _band(labels, probs, patients, drawn, _precisions, units)


def reliability_band(
    labels: Ints, probs: Floats, patients: NDArray[np.generic], drawn: Drawn = _USUAL
) -> Band:
    """The interval of the share of positives in each bin of `curves.reliability`, at its mean."""
    bins = np.unique(equal_bins(probs), return_inverse=True)[1]
    members = np.eye(int(bins.max()) + 1)[bins]
    shares = [
        ratio((weights * labels) @ members, weights @ members)
        for weights in drawn_weights(patients, drawn.repeats, drawn.seed)
    ]
    rows = members.sum(axis=0)
    units = np.array([len(np.unique(patients[bins == bin_])) for bin_ in range(len(rows))])
    deviations = _deviations(np.concatenate(shares))
    return _around(probs @ members / rows, labels @ members / rows, deviations, units, drawn)


def _band(
    labels: Ints,
    probs: Floats,
    patients: NDArray[np.generic],
    drawn: Drawn,
    heights: Callable[[Floats, Floats], Floats],
    units: NDArray[np.int64],
) -> Band:
    """`heights` are those over GRID of one draw, from positives and negatives passed (T + 1,).

    `units` (G,) are the patients that each rests on.
    """
    ranked = Ranked.of(labels, probs)
    found = []
    for weights in drawn_weights(patients, drawn.repeats, drawn.seed):
        draws = ranked.under(weights)
        pairs = zip(draws.true_positives, draws.false_positives, strict=True)
        found += [heights(true, false) for true, false in pairs if true[-1] and false[-1]]
    whole = Draws.once(labels, probs)
    curve = heights(whole.true_positives[0], whole.false_positives[0])
    return _around(GRID, curve, _deviations(np.reshape(found, (-1, len(GRID)))), units, drawn)


def _sensitivities(true: Floats, false: Floats) -> Floats:
    heights: Floats = np.interp(GRID, false / false[-1], true / true[-1])
    return heights


def _precisions(true: Floats, false: Floats) -> Floats:
    found, called = true[1:], true[1:] + false[1:]
    places = _places(found)
    heights: Floats = found[places] / called[places]
    return heights


def _places(found: Floats) -> NDArray[np.intp]:
    """The first place with each recall of GRID, of the positives found (T,) down the scores."""
    wanted = np.maximum(GRID * found[-1] - _SLACK, _FEWEST)
    places: NDArray[np.intp] = np.searchsorted(found, wanted, side="left")
    return places


def _deviations(heights: Floats) -> Floats:
    """The deviation (G,) of heights (R, G) over draws, 0 where fewer than two have one."""
    known = (~np.isnan(heights)).sum(axis=0) > 1
    deviations = np.zeros(heights.shape[1])
    deviations[known] = np.nanstd(heights[:, known], axis=0, ddof=1)
    return deviations


def _around(
    places: Floats, heights: Floats, deviations: Floats, units: NDArray[np.int64], drawn: Drawn
) -> Band:
    ends = [
        proportion_interval(
            float(height),
            error_of_draws(float(deviation), int(count)),
            int(count),
            drawn.confidence,
        )
        if count > 1
        else _NOTHING_KNOWN
        for height, deviation, count in zip(heights, deviations, units, strict=True)
    ]
    return Band(places, np.array([end.low for end in ends]), np.array([end.high for end in ends]))
