"""What a threshold is worth on patients who had no part in its choice, as the ensemble file says.

The file may be anybody's: a value that is no share of 1 is left out.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trainer.document import read_document
from trainer.intervals.interval import Interval


def nested_facts(ensemble: Path) -> dict[str, tuple[float, Interval | None]]:
    """Each nested figure with its interval, by name; {} where there is no such file or figure."""
    if not ensemble.is_file():
        return {}
    nested = _mapping(_mapping(read_document(ensemble), "figures"), "nested")
    figures, intervals = _mapping(nested, "figures"), _mapping(nested, "intervals")
    return {
        str(name): (float(value), _interval(intervals.get(name)))
        for name, value in figures.items()
        if _is_share(value)
    }


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _interval(ends: Any) -> Interval | None:
    if not isinstance(ends, list) or len(ends) != 2 or not all(map(_is_share, ends)):
        return None
    return Interval(float(ends[0]), float(ends[1]))


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1
