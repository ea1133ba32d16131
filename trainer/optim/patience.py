"""When a figure has stopped rising: pure functions of its history, so that nothing is to be saved.

A figure rises where it is greater than every one before it. The first is a rise; None and NaN,
which stand for undefined, never are.
"""

import math
from collections.abc import Sequence


def is_stale(figures: Sequence[float | None], patience: int) -> bool:
    """Whether the last `patience` figures brought no rise; never where `patience` is 0."""
    missed = 0
    for rose in _rises(figures):
        missed = 0 if rose else missed + 1
    return 0 < patience <= missed


def rises_missed(figures: Sequence[float | None], patience: int) -> int:
    """How often more than `patience` figures in a row brought no rise, counted anew each time.

    That is how often torch's ReduceLROnPlateau (mode "max", threshold 0) has lowered its rate.
    """
    times = missed = 0
    for rose in _rises(figures):
        missed = 0 if rose else missed + 1
        if missed > patience:
            times, missed = times + 1, 0
    return times


def _rises(figures: Sequence[float | None]) -> list[bool]:
    best, rises = -math.inf, []
    for figure in figures:
        rose = figure is not None and figure > best
        best = figure if figure is not None and rose else best
        rises.append(rose)
    return rises
