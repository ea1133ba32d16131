"""Boxes around the hot parts of a map, by hand."""

import numpy as np
import pytest

from trainer.explain.heat_boxes import HeatBox, heat_boxes


def test_two_parts_are_two_boxes_the_hottest_first() -> None:
    heat = np.zeros((6, 8), np.float32)
    heat[1, 1:3] = [0.6, 0.5]
    heat[3:5, 5] = [0.9, 1.0]
    heat[5, 0] = 0.49
    assert heat_boxes(heat) == [
        HeatBox(3, 5, 5, 6, 1.0, 4.5, 5.5),
        HeatBox(1, 1, 2, 3, pytest.approx(0.6), 1.5, 1.5),
    ]


def test_the_hottest_place_of_a_plateau_is_its_middle() -> None:
    heat = np.zeros((5, 5), np.float32)
    heat[1:4, 2:4] = 1
    (box,) = heat_boxes(heat)
    assert (box.row, box.column) == (2.5, 3.0)


def test_parts_in_each_others_boxes_are_kept_apart() -> None:
    heat = np.zeros((5, 5), np.float32)
    heat[0], heat[:, 0] = 0.7, 0.7
    heat[3, 3] = 1
    assert [box.heat for box in heat_boxes(heat)] == [1, pytest.approx(0.7)]


def test_no_heat_is_no_box() -> None:
    assert heat_boxes(np.zeros((4, 4), np.float32)) == []


def test_a_box_drawn_smaller_is_never_empty() -> None:
    box = HeatBox(8, 10, 9, 30, 1.0, 8.5, 20.0).scaled(0.25, 0.1)
    assert box == HeatBox(2, 1, 3, 3, 1.0, 2.125, 2.0)
