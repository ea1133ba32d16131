"""A figure that a benchmark is judged by, and the bar that it must reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from benchmarks.timing import round_off


@dataclass(frozen=True, slots=True)
class Target:
    """One figure and the bar that it must reach, from above or from below.

    `find` takes it from what was measured. `moonshot` is what would be more than was hoped for.
    """

    name: str
    find: Callable[[Mapping[str, Any]], float]
    sense: Literal["at least", "at most"]
    bar: float
    moonshot: float

    def judge(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The row of the table; `value` and `met` are None where a figure for it is missing."""
        try:
            value: float | None = round_off(self.find(found))
        except (KeyError, ZeroDivisionError):
            value = None
        return {
            "name": self.name,
            "value": value,
            "bar": self.bar,
            "sense": self.sense,
            "moonshot": self.moonshot,
            "met": self._reaches(value, self.bar),
            "moonshot_met": self._reaches(value, self.moonshot),
        }

    def _reaches(self, value: float | None, bar: float) -> bool | None:
        if value is None:
            return None
        return value >= bar if self.sense == "at least" else value <= bar


def target_line(row: Mapping[str, Any]) -> str:
    """A row of the table, for people."""
    met = {True: "met", False: "NOT MET", None: "not measured"}[row["met"]]
    value = "-" if row["value"] is None else f"{row['value']:g}"
    return f"{row['name']:<44} {value:>8}  {row['sense']} {row['bar']:g}: {met}"
