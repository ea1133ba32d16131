"""A bar is reached from above or from below, and where it stands counts as reached."""

import pytest

from benchmarks.target import Target, target_line


@pytest.mark.parametrize(
    ("sense", "value", "met", "moonshot_met"),
    [
        ("at least", 1.99, False, False),
        ("at least", 2.0, True, False),
        ("at least", 3.0, True, True),
        ("at most", 3.01, False, False),
        ("at most", 3.0, True, False),
        ("at most", 2.0, True, True),
    ],
)
def test_a_bar(sense, value, met, moonshot_met):
    bar, moonshot = (2.0, 3.0) if sense == "at least" else (3.0, 2.0)
    row = Target("speed", lambda found: found["x"], sense, bar, moonshot).judge({"x": value})
    assert (row["value"], row["met"], row["moonshot_met"]) == (value, met, moonshot_met)


def test_what_was_not_measured_is_neither_met_nor_missed():
    row = Target("a ratio", lambda found: 1 / found["x"], "at least", 1.0, 2.0).judge({"x": 0})
    assert (row["value"], row["met"], row["moonshot_met"]) == (None, None, None)
    assert target_line(row) == f"{'a ratio':<44} {'-':>8}  at least 1: not measured"
