"""One logit an image from those of several members."""

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, logit
from scipy.stats import rankdata

Floats = NDArray[np.float64]
Combine = Literal["prob", "logit", "rank"]
COMBINES: Final[tuple[Combine, ...]] = get_args(Combine)

# of a mean of ranks: 1 and 4 of 5 are as much as 2 and 3, but for the last bits of their sums
_DIGITS: Final = 12


def combine(logits: Floats, weights: Floats, how: Combine = "prob") -> Floats:
    """Logits (n,) of the ensemble, whose sigmoid is its probability, from those (n, M) of members.

    prob: the weighted mean of probabilities; logit: of logits; rank: of the ranks of each member's
    own scores, ties sharing theirs, over (their number + 1), so that it needs all images at once.

    A NaN, of a member without a score for that image, and a weight (M,) of 0 leave that member out;
    NaN comes out where none is left. An image that one member alone scored keeps its logit (prob
    and logit). Rows do not depend on each other but for rank, which says nothing of an image alone.
    """
    logits = np.ascontiguousarray(logits)  # sums of a row are then the same whatever came in
    present = np.isfinite(logits) & (weights > 0)
    shares = np.where(present, weights, 0.0)
    if how == "rank":
        ranks = _ranks(np.where(present, logits, np.nan))
        return np.asarray(logit(np.round(_mean(ranks, shares), _DIGITS)), np.float64)
    mean = _mean(logits, shares) if how == "logit" else _mean_probability(logits, shares)
    alone = present.sum(axis=1) == 1
    only = np.where(present, logits, 0.0).sum(axis=1)
    return np.asarray(np.where(alone, only, mean), np.float64)


def _mean(values: Floats, shares: Floats) -> Floats:
    _, size = np.frexp(shares.max(initial=0.0))
    shares = np.ldexp(shares, -size)  # exact; only ratios count, and sums are to be finite
    summed = (np.where(shares > 0, values, 0.0) * shares).sum(axis=1)
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN, as it is to be
        return np.asarray(summed / shares.sum(axis=1), np.float64)


def _mean_probability(logits: Floats, shares: Floats) -> Floats:
    """log(mean p) - log(mean (1 - p)): exact where 1 - p would round to 0."""
    known = np.where(shares > 0, logits, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.log(shares)  # -inf for who is left out; of nobody's sums -inf + inf is NaN
        positive = np.logaddexp.reduce(weight + log_expit(known), axis=1)
        negative = np.logaddexp.reduce(weight + log_expit(-known), axis=1)
        return np.asarray(positive - negative, np.float64)


def _ranks(logits: Floats) -> Floats:
    """Ranks (n, M) in (0, 1) of the scores of each member among its own; NaN where it has none."""
    ranks = rankdata(logits, axis=0, nan_policy="omit")
    return np.asarray(ranks / (np.isfinite(logits).sum(axis=0) + 1), np.float64)
