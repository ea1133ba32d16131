"""Charts: points lie where the axes say, text is escaped, and lines are no longer than need be."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.report.svg import Chart, nice_axis, unit_axis, written

# the plot of a chart 280 px high: 46 ... 350 across, 240 (foot) ... 10 (head) down
LEFT, RIGHT, HEAD, FOOT = 46, 350, 10, 240


def chart() -> Chart:
    return Chart(unit_axis("x"), unit_axis("y"), "about")


def points_of(svg: str, kind: str) -> list[tuple[float, float]]:
    found = re.search(rf'class="{kind} s1" points="([^"]*)"', svg)
    return [tuple(map(float, pair.split(","))) for pair in found[1].split()]


def test_corners_of_the_axes_are_corners_of_the_plot() -> None:
    drawn = chart()
    drawn.line([0, 1, 0.5], [0, 1, 0.5], "s1")
    assert points_of(drawn.markup(), "line") == [(LEFT, FOOT), (RIGHT, HEAD), (198, 125)]


def test_a_value_beyond_the_axis_stays_at_its_end() -> None:
    drawn = chart()
    drawn.line([-3, 7], [2, -1], "s1")
    assert points_of(drawn.markup(), "line") == [(LEFT, HEAD), (RIGHT, FOOT)]


def test_points_within_level_and_upright_stretches_are_left_out() -> None:
    drawn = chart()
    drawn.line([0, 0, 0, 0.5, 1], [0, 0.5, 1, 1, 1], "s1")
    assert points_of(drawn.markup(), "line") == [(LEFT, FOOT), (LEFT, HEAD), (RIGHT, HEAD)]


def test_a_line_that_turns_back_keeps_its_turn() -> None:
    drawn = chart()
    drawn.line([0, 1, 0.5], [0, 0, 0], "s1")
    assert points_of(drawn.markup(), "line") == [(LEFT, FOOT), (RIGHT, FOOT), (198, FOOT)]


def test_a_band_goes_along_its_top_and_back_along_its_foot() -> None:
    drawn = chart()
    drawn.band([0, 1], [0, 0.5], [0.5, 1], "s1")
    assert points_of(drawn.markup(), "band") == [
        (LEFT, 125), (RIGHT, HEAD), (RIGHT, 125), (LEFT, FOOT),
    ]  # fmt: skip


def test_a_bar_without_height_is_not_drawn() -> None:
    drawn = chart()
    drawn.bar(0, 0.5, 0.0, "s1")
    assert "rect" not in drawn.markup()
    drawn.bar(0, 0.5, 1.0, "s1")
    assert '<rect class="bar s1" x="46.0" y="10.0" width="151.0" height="230.0">' in drawn.markup()


def test_the_label_of_a_rule_is_over_what_is_drawn_after_it() -> None:
    drawn = chart()
    drawn.rule(0.5, "threshold")
    drawn.bar(0, 1, 1.0, "s1")
    svg = drawn.markup()
    assert svg.index("<rect") < svg.index(">threshold<")
    assert 'class="label over"' in svg


def test_the_diagonal_is_where_both_axes_say_the_same() -> None:
    drawn = Chart(nice_axis("x", 0.5, 0.75), unit_axis("y"), "about")
    drawn.diagonal()
    line = ET.fromstring(drawn.markup()).find("line[@class='rule']")
    ends = [float(line.attrib[name]) for name in ("x1", "y1", "x2", "y2")]
    assert ends == [LEFT, 125, RIGHT, 67.5]


def test_text_is_escaped_and_the_whole_is_well_formed() -> None:
    drawn = Chart(unit_axis("<x>"), unit_axis('"y" & z'), "a <b>")
    drawn.rule(0.9, "<t>")
    drawn.whisker(0.5, 0.2, 0.7, "s1")
    root = ET.fromstring(drawn.markup())
    assert root.attrib["aria-label"] == "a <b>"
    texts = [element.text for element in root.iter("text")]
    assert {"<x>", '"y" & z', "<t>"} <= set(texts)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (0, 0.034, (0.0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035)),
        (0.61, 0.93, (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)),
        (5, 5, (5.0, 6.0, 7.0, 8.0, 9.0, 10.0)),
        (0, 5e-324, (0.0, 2e-10)),
    ],
)
def test_axes_begin_and_end_at_round_numbers(low: float, high: float, ticks: tuple) -> None:
    axis = nice_axis("", low, high)
    assert axis.ticks[0] <= low
    assert axis.ticks[-1] >= high
    if low != high:
        assert axis.ticks == pytest.approx(ticks)


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_every_axis_holds_its_values_with_few_ticks(low: float, span: float) -> None:
    axis = nice_axis("", low, low + span)
    slack = 1e-6 * max(1.0, abs(low), span)
    assert axis.low <= low + slack
    assert axis.high >= low + span - slack
    assert 2 <= len(axis.ticks) <= 14


@pytest.mark.parametrize(
    ("value", "text"), [(0.0, "0"), (0.25, "0.25"), (1000.0, "1,000"), (1e-5, "1e-05")]
)
def test_numbers_at_an_axis(value: float, text: str) -> None:
    assert written(value) == text
