"""From the spread of bootstrap draws to a confidence interval.

The ends are not percentiles of the draws: near 0 and 1, and with few cancers, those cover too
little (`benchmarks/results/coverage.json` has both). Only the standard error is taken from the
draws. Student's t stands in for the normal quantile, as the error is itself known from few
patients only. Three scales keep the ends where the figure can be:

- an area under a curve: symmetric on the logit scale (Qin and Hotilovac 2008, "Comparison of
  Non-parametric Confidence Intervals for the Area under the ROC Curve");
- a share: Wilson's interval (1927) of as many independent patients as have this standard error
  (Dean and Pagano 2015, "Evaluating Confidence Interval Methods for Binomial Proportions in
  Clustered Surveys");
- a figure without upper end: symmetric on the logarithmic scale.

Of 1,000 simulated studies each, 93.5 to 94.1 % of the AUROC's intervals held the truth; with 20
cancers at an AUROC of 0.97 it was 91.9 %, of percentiles 83.8 %.

What lies in [0, 1] with mean m has a variance of at most m (1 - m); no greater error is believed.
"""

import math

from scipy.special import expit, logit
from scipy.stats import t

from trainer.intervals.interval import Comparison, Interval


def area_interval(estimate: float, error: float, units: int, confidence: float) -> Interval:
    """The interval of an area with standard error `error`, from `units` patients, within [0, 1].

    At 0 and 1 there is no such scale and no error to go by: it is then that of a share.
    """
    variance = estimate * (1 - estimate)
    if variance == 0:
        return proportion_interval(estimate, error, units, confidence)
    reach = _quantile(units, confidence) * min(error, math.sqrt(variance)) / variance
    return Interval(float(expit(logit(estimate) - reach)), float(expit(logit(estimate) + reach)))


def proportion_interval(estimate: float, error: float, units: int, confidence: float) -> Interval:
    """Wilson's interval of a share with standard error `error`, from `units` patients, in [0, 1].

    A share of 0 or 1 has no error to go by; it is taken as that of `units` independent patients.
    """
    variance = estimate * (1 - estimate)
    per_patient = min(error**2 / variance, 1.0) if variance else 1 / units
    shift = _quantile(units, confidence) ** 2 * per_patient
    center = (estimate + shift / 2) / (1 + shift)
    reach = math.sqrt(variance * shift + shift**2 / 4) / (1 + shift)
    return Interval(max(center - reach, 0.0), min(center + reach, 1.0))


def positive_interval(estimate: float, error: float, units: int, confidence: float) -> Interval:
    """The interval of a figure > 0 without upper end."""
    factor = math.exp(_quantile(units, confidence) * error / estimate)
    return Interval(estimate / factor, estimate * factor)


def difference_interval(
    difference: float, error: float, units: int, confidence: float
) -> Comparison:
    """A difference of figures with its symmetric interval, and the p of no difference."""
    reach = _quantile(units, confidence) * error
    if error:
        p = float(2 * t.sf(abs(difference) / error, units - 1))
    else:
        p = 1.0 if difference == 0 else 0.0
    return Comparison(difference, Interval(difference - reach, difference + reach), p)


def _quantile(units: int, confidence: float) -> float:
    """How many standard errors an interval reaches, with units - 1 degrees of freedom."""
    return float(t.ppf((1 + confidence) / 2, units - 1))
