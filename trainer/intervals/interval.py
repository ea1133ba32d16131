"""What an interval is, and a comparison of two models."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """The ends of a confidence interval, low <= high."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much greater a figure of `b` is than of `a`; `p` is two-sided, of no difference."""

    difference: float
    interval: Interval
    p: float
