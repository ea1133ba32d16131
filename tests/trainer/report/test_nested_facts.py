"""Nested figures of an ensemble file, which may be anybody's, and where they stand."""

import json
from pathlib import Path

import pytest

from trainer.intervals.interval import Interval
from trainer.report.nested_facts import nested_facts


def test_figures_come_with_their_intervals(tmp_path: Path) -> None:
    nested = {"figures": {"f1": 0.5, "n": 40, "recall": None}, "intervals": {"f1": [0.25, 1]}}
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps({"figures": {"nested": nested}}))
    assert nested_facts(path) == {"f1": (0.5, Interval(0.25, 1.0))}


@pytest.mark.parametrize(
    "content",
    [{}, {"figures": []}, {"figures": {"nested": None}}, {"figures": {"nested": {"figures": 3}}}],
)
def test_a_file_that_says_nothing_of_it_gives_nothing(tmp_path: Path, content: dict) -> None:
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps(content))
    assert nested_facts(path) == nested_facts(tmp_path / "none.json") == {}


def test_what_is_no_interval_is_left_out(tmp_path: Path) -> None:
    nested = {"figures": {"f1": 0.5}, "intervals": {"f1": ["<b>", 1]}}
    path = tmp_path / "ensemble.json"
    path.write_text(json.dumps({"figures": {"nested": nested}}))
    assert nested_facts(path) == {"f1": (0.5, None)}
