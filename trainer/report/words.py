"""Numbers as a report writes them; what the data do not define is a dash."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from trainer.intervals.interval import Interval

NOTHING: Final = "-"
_MARKS: Final = re.compile(r"([\\`*_\[\]<>|#])")  # of CommonMark and GitHub's tables
_PLURALS: Final = {"breast": "breasts", "exam": "exams", "image": "images", "patient": "patients"}


def figure(value: float | None) -> str:
    """A figure of merit, to three places."""
    return NOTHING if value is None else f"{value:.3f}"


def score(value: float) -> str:
    """A probability, to three places; never 0 or 1 where it is not."""
    if 0 < value < 0.0005:
        return "< 0.001"
    return "> 0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


def span(interval: Interval | None) -> str:
    """The ends of an interval."""
    if interval is None:
        return NOTHING
    return f"{interval.low:.3f}\N{EN DASH}{interval.high:.3f}"


def count(value: float) -> str:
    """A count, with commas at thousands."""
    return f"{value:,}"


def percent(value: float | None, places: int = 0) -> str:
    """A share of 1 in percent."""
    return NOTHING if value is None else f"{100 * value:.{places}f} %"


def plain(text: str) -> str:
    """Text that Markdown shows as it is, also in a cell of a table."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def plural(level: str) -> str:
    """The level in the plural: "breasts" for "breast"."""
    return _PLURALS[level]


def epochs(counts: Sequence[int]) -> str:
    """The epochs of one run or several: "1 epoch", "2 epochs each", "2 to 5 epochs"."""
    least, most = min(counts), max(counts)
    if least < most:
        return f"{least} to {most} epochs"
    return f"{most} epoch{'s' * (most != 1)}{' each' * (len(counts) > 1)}"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "figure": figure,
    "score": score,
    "span": span,
    "count": count,
    "percent": percent,
    "plain": plain,
    "plural": plural,
    "epochs": epochs,
}
