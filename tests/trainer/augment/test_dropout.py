"""Coarse dropout, worked by hand."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.augment.dropout import drop_holes
from trainer.augment.texture_settings import DropoutSettings

PLANES = torch.ones(1, 1, 10, 20)


def test_holes_are_black_rectangles() -> None:
    settings = DropoutSettings(1, holes=(2, 2), height=(0.2, 0.4), width=(0.1, 0.2))
    # heights 2 and 4, widths 2 and 4, at the top left and at the bottom right
    draws = np.array([[0.0, *(0, 0.9999), *(0, 0.9999), *(0, 0.9999), *(0, 0.9999)]])
    found = drop_holes(PLANES, draws, settings)[0, 0]
    wanted = np.ones((10, 20))
    wanted[:2, :2] = 0
    wanted[6:, 16:] = 0
    np.testing.assert_array_equal(found, wanted)


def test_where_holes_meet_nothing_else_happens() -> None:
    settings = DropoutSettings(1, holes=(1, 3), height=(0.3, 0.3), width=(0.25, 0.25))
    full = np.array([[0.9999, *[0] * 6, *[0] * 6]])  # three at one place
    one = np.array([[0.0, *[0] * 6, *(0, 0.5, 0.9), *(0, 0.5, 0.9)]])  # the first of three
    for draws in (full, one):
        assert drop_holes(PLANES, draws, settings).sum() == 200 - 15


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=17, max_size=17))
def test_as_much_is_lost_as_holes_can_cover(numbers: list[float]) -> None:
    settings = DropoutSettings(1, holes=(1, 4), height=(0.1, 0.3), width=(0.1, 0.5))
    found = drop_holes(PLANES, np.array([numbers]), settings)
    lost = int(200 - found.sum())
    assert 1 * 2 <= lost <= 4 * 3 * 10
    assert set(found.unique().tolist()) <= {0.0, 1.0}
