"""The AUROC of a subgroup as a mark on a short scale, so that a column of them can be compared."""

from typing import Final

from markupsafe import Markup

from trainer.evaluation.evaluation import LevelFigures

_LOW: Final = 0.3  # of the scale: below chance, but an interval may reach there
_WIDTH, _HEIGHT = 120, 16  # px


def forest(level: LevelFigures) -> Markup:
    """A line for the interval and a disk for the figure, with chance marked; empty without one.

    An arrow at the edge stands for what lies below the scale.
    """
    auroc, interval = level.figures.get("auroc"), level.intervals.get("auroc")
    middle = _HEIGHT / 2
    parts = [_LINE.format("rule", _across(0.5), 0, _across(0.5), _HEIGHT)]
    if interval is not None:
        ends = _across(interval.low), _across(interval.high)
        parts.append(_LINE.format("whisker s1", ends[0], middle, ends[1], middle))
    drawn = (auroc, interval.low if interval is not None else None)
    if any(value is not None and value < _LOW for value in drawn):
        parts.append(_ARROW.format(0, middle, 6, middle - 4, 6, middle + 4))
    if auroc is not None and auroc >= _LOW:
        parts.append(_DISK.format(_across(auroc), middle))
    return _FRAME.format(_WIDTH, _HEIGHT, Markup("").join(parts))


_FRAME: Final = Markup('<svg class="forest" viewBox="0 0 {} {}" aria-hidden="true">{}</svg>')
_LINE: Final = Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>')
_ARROW: Final = Markup('<polygon class="dot s1" points="{},{} {},{} {},{}"/>')
_DISK: Final = Markup('<circle class="dot s1" cx="{}" cy="{}" r="3.5"/>')


def _across(value: float) -> float:
    share = (max(value, _LOW) - _LOW) / (1 - _LOW)
    return round(5 + (_WIDTH - 10) * share, 1)
