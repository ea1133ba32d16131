"""Heat over a picture: what stays gray, what is warm, and outlines."""

import numpy as np

from trainer.explain.heat_boxes import HeatBox
from trainer.explain.overlay import outlined, overlay


def test_without_heat_it_is_the_gray_picture() -> None:
    gray = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    shown = overlay(gray, np.zeros_like(gray))
    assert shown.shape == (3, 4, 3)
    assert shown.dtype == np.uint8
    assert (shown == np.rint(255 * gray)[..., None]).all()


def test_more_heat_is_more_red_than_blue_and_brighter_on_black() -> None:
    heat = np.linspace(0, 1, 101, dtype=np.float32)[None]
    shown = overlay(np.zeros_like(heat), heat)[0].astype(int)
    assert (np.diff(shown[:, 0]) >= 0).all()
    assert (shown[1:, 0] > shown[1:, 2]).all()
    luminance = shown @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(luminance) > -1).all()


def test_the_picture_is_still_seen_below_the_hottest_px() -> None:
    dark, bright = (overlay(np.full((1, 1), v), np.ones((1, 1)))[0, 0].astype(int) for v in (0, 1))
    assert (bright - dark).min() > 100


def test_values_outside_of_the_range_are_its_ends() -> None:
    one = overlay(np.array([[-1.0, 2.0]]), np.array([[2.0, -1.0]]))
    assert (one == overlay(np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]]))).all()


def test_an_outline_lies_on_the_edge_px_of_its_box() -> None:
    picture = np.zeros((20, 20, 3), np.uint8)
    lit = outlined(picture, [HeatBox(3, 4, 10, 9, 1, 0, 0)]).any(axis=2)
    rows, columns = np.nonzero(lit)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 9, 4, 8)
    assert not lit[5, 6]
    assert not picture.any()
