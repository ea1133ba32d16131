"""Charts as inline SVG: axes, lines, bands, bars and points.

Colors are classes `s0`, `s1`, ... of the page's style sheet, so that a chart is light or dark as
the page is. Lengths are px of a view box, which the page scales to the width it has.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

WIDTH: Final = 360  # px, that of a phone, on which 11 px text is then as large as written
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 10, 10, 40
_FEWEST_TICKS: Final = 4
_SHORTEST: Final = 1e-9  # span of an axis: a thousand times what its ticks are rounded to
_CHARACTER: Final = 6.2  # px of a digit at 11 px

Numbers = Iterable[float]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """Values `low` ... `high` of an axis, with a label; `ticks` are marked and written."""

    label: str
    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """How far along the axis a value lies, 0 to 1; the nearer end for one beyond."""
        return (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)


_UNIT_TICKS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)


def unit_axis(label: str) -> Axis:
    """An axis of shares, 0 ... 1."""
    return Axis(label, 0.0, 1.0, _UNIT_TICKS)


def nice_axis(label: str, low: float, high: float) -> Axis:
    """An axis that holds low ... high and begins and ends at a round number.

    Steps are 1, 2 or 5 times a power of ten (Heckbert, "Nice numbers for graph labels", 1990).
    """
    span = max((high - low) or abs(high) or 1.0, _SHORTEST)
    power = 10 ** math.floor(math.log10(span / _FEWEST_TICKS))
    step = power * max(k for k in (1, 2, 5) if k * power * _FEWEST_TICKS <= span * (1 + 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = max(last, first + 1)
    ticks = tuple(round(k * step, 12) for k in range(first, last + 1))
    return Axis(label, ticks[0], ticks[-1], ticks)


class Chart:
    """One chart, filled by its methods in the order of drawing; `about` is read to the blind."""

    def __init__(self, x: Axis, y: Axis, about: str, height: int = 280) -> None:
        self._x, self._y, self._about, self._height = x, y, about, height
        self._parts: list[Markup] = []
        self._over: list[Markup] = []  # drawn last

    def line(self, xs: Numbers, ys: Numbers, kind: str) -> None:
        """Straight lines from point to point."""
        points = _thinned([self._at(x, y) for x, y in zip(xs, ys, strict=True)])
        self._add("polyline", class_=f"line {kind}", points=_joined(points))

    def band(self, xs: Sequence[float], lows: Numbers, highs: Numbers, kind: str) -> None:
        """The area between two lines."""
        there = [self._at(x, y) for x, y in zip(xs, highs, strict=True)]
        back = [self._at(x, y) for x, y in zip(xs, lows, strict=True)]
        points = _thinned(there) + _thinned(back)[::-1]
        self._add("polygon", class_=f"band {kind}", points=_joined(points))

    def points(self, xs: Numbers, ys: Numbers, kind: str) -> None:
        """A disk at each point."""
        for x, y in zip(xs, ys, strict=True):
            across, down = self._at(x, y)
            self._add("circle", class_=f"dot {kind}", cx=across, cy=down, r=3.2)

    def whisker(self, x: float, low: float, high: float, kind: str) -> None:
        """An upright line at `x` from low to high."""
        self._line(f"whisker {kind}", self._at(x, low), self._at(x, high))

    def bar(self, left: float, right: float, height: float, kind: str) -> None:
        """A bar from the foot of the chart, where it has a height."""
        (x0, top), (x1, foot) = self._at(left, height), self._at(right, self._y.low)
        if foot > top:
            width, tall = max(round(x1 - x0 - 1, 1), 0.5), round(foot - top, 1)
            self._add("rect", class_=f"bar {kind}", x=x0, y=top, width=width, height=tall)

    def rule(self, x: float, label: str) -> None:
        """A dashed upright line through the chart with a label at its head, over all else."""
        head = self._at(x, self._y.high)
        self._line("rule", head, self._at(x, self._y.low))
        anchor, shift = ("end", -4) if self._x.share(x) > 0.5 else ("start", 4)
        self._over.append(_text(head[0] + shift, head[1] + 10, anchor, label, "label over"))

    def diagonal(self) -> None:
        """The dashed line of equal values on both axes, where there are any."""
        low, high = max(self._x.low, self._y.low), min(self._x.high, self._y.high)
        if low < high:
            self._line("rule", self._at(low, low), self._at(high, high))

    def markup(self) -> Markup:
        """The element <svg>."""
        inside = Markup("").join([*self._grid(), *self._parts, *self._over, *self._labels()])
        box = f"0 0 {WIDTH} {self._height}"
        return _element("svg", inside, viewBox=box, role="img", aria_label=self._about)

    def _at(self, x: float, y: float) -> Point:
        width, height = WIDTH - _LEFT - _RIGHT, self._height - _TOP - _BOTTOM
        across = _LEFT + width * self._x.share(float(x))
        return round(across, 1), round(_TOP + height * (1 - self._y.share(float(y))), 1)

    def _add(self, name: str, **attributes: Any) -> None:
        self._parts.append(_element(name, **attributes))

    def _line(self, kind: str, start: Point, end: Point) -> None:
        self._add("line", class_=kind, x1=start[0], y1=start[1], x2=end[0], y2=end[1])

    def _grid(self) -> list[Markup]:
        """What the ticks are, and lines at those of the upright axis."""
        right, foot = self._at(self._x.high, self._y.low)
        parts = []
        for tick in _sparse(self._x.ticks, right - _LEFT):
            across, _ = self._at(tick, self._y.low)
            parts.append(_text(across, foot + 15, "middle", written(tick)))
        for tick in self._y.ticks:
            _, down = self._at(self._x.low, tick)
            parts.append(_element("line", class_="grid", x1=_LEFT, y1=down, x2=right, y2=down))
            parts.append(_text(_LEFT - 6, down + 4, "end", written(tick)))
        return parts

    def _labels(self) -> list[Markup]:
        middle = (_TOP + self._height - _BOTTOM) / 2
        turned: dict[str, Any] = {"transform": f"translate(11 {middle:g}) rotate(-90)"}
        return [
            _text((_LEFT + WIDTH - _RIGHT) / 2, self._height - 6, "middle", self._x.label),
            _element("text", self._y.label, class_="label", text_anchor="middle", **turned),
        ]


def written(value: float) -> str:
    """A number as it stands at an axis: 0.25, 1,000, 1e-05."""
    if value and abs(value) < 1e-3:
        return f"{value:.0e}"
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def _element(name: str, inside: str = "", **attributes: Any) -> Markup:
    """An element; "_" stands for "-" in the name of an attribute, and goes where it is last."""
    named = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), value)
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(name, named, inside)


def _text(x: float, y: float, anchor: str, words: str, kind: str = "label") -> Markup:
    place: dict[str, Any] = {"x": round(x, 1), "y": round(y, 1), "text_anchor": anchor}
    return _element("text", words, class_=kind, **place)


def _joined(points: Iterable[Point]) -> str:
    return " ".join(f"{x:g},{y:g}" for x, y in points)


def _sparse(ticks: Sequence[float], width: float) -> Sequence[float]:
    """So many of the ticks that their texts do not touch."""
    widest = max(len(written(tick)) for tick in ticks) * _CHARACTER + 8
    return ticks[:: max(1, math.ceil(len(ticks) * widest / width))]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """The same line in as few points as show it: none inside an upright or level stretch."""
    kept: list[Point] = []
    for point in points:
        while len(kept) > 1 and _is_straight(kept[-2], kept[-1], point):
            kept.pop()
        if not kept or kept[-1] != point:
            kept.append(point)
    return kept


def _is_straight(first: Point, middle: Point, last: Point) -> bool:
    """Whether the middle point adds nothing to an upright or level line that goes one way."""
    for fixed, moving in ((0, 1), (1, 0)):
        if first[fixed] == middle[fixed] == last[fixed]:
            return (
                min(first[moving], last[moving])
                <= middle[moving]
                <= max(first[moving], last[moving])
            )
    return False
