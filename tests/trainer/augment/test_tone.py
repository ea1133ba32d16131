"""Changes of gray, worked by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trainer.augment.tone import change_brightness, change_curve, change_gamma, move_window
from trainer.augment.tone_settings import (
    BrightnessSettings,
    CurveSettings,
    GammaSettings,
    WindowSettings,
)

GRAY = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).reshape(1, 1, 1, 5)


def test_a_narrower_window_spreads_what_is_in_it() -> None:
    # center 0.5 + 0.1, width 1 - 0.2: from 0.2 to 1
    draws = np.array([[1.0, 0.0]])
    found = move_window(GRAY, draws, WindowSettings(1, center=0.1, width=0.2))
    assert found.flatten().tolist() == pytest.approx([0, 0.0625, 0.375, 0.6875, 1])


def test_a_wider_window_leaves_black_and_white_gray() -> None:
    # center 0.5, width 1.25: black at (0 - 0.5) / 1.25 + 0.5
    draws = np.array([[0.5, 1.0]])
    found = move_window(GRAY, draws, WindowSettings(1, center=0.3, width=0.25))
    assert found.flatten().tolist() == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])


def test_brightness_and_contrast() -> None:
    settings = BrightnessSettings(1, add=(-0.1, 0.1), contrast=(0, 0.5))
    planes = GRAY.repeat(2, 1, 1, 1)
    draws = np.array([[1.0, 0.0], [0.0, 1.0]])  # x 1.5 - 0.1, and x + 0.1
    found = change_brightness(planes, draws, settings)
    assert found[0].flatten().tolist() == pytest.approx([0, 0.275, 0.65, 1, 1])
    assert found[1].flatten().tolist() == pytest.approx([0.1, 0.35, 0.6, 0.85, 1])


def test_gamma() -> None:
    found = change_gamma(GRAY, np.array([[1.0]]), GammaSettings(1, power=(0.5, 2)))
    assert found.flatten().tolist() == pytest.approx([0, 0.0625, 0.25, 0.5625, 1])


@pytest.mark.parametrize("low", [0.0, 0.2, 1.0])
def test_the_tone_curve_is_a_bezier_curve(low: float) -> None:
    # spread 0 would fix the handles at 1/4 and 3/4; the quantile that gives `low` is clipped
    from scipy.special import ndtr

    draws = np.array([[ndtr((low - 0.25) / 0.5), 0.5]])
    found = change_curve(GRAY, draws, CurveSettings(1, spread=0.5)).flatten().tolist()
    x = np.linspace(0, 1, 5)
    wanted = 3 * (1 - x) ** 2 * x * low + 3 * (1 - x) * x**2 * 0.75 + x**3
    assert found == pytest.approx(wanted.tolist(), abs=1e-6)


def test_a_draw_of_zero_is_no_infinite_handle() -> None:
    found = change_curve(GRAY, np.zeros((1, 2)), CurveSettings(1, spread=0.1))
    assert found.flatten().tolist() == pytest.approx([0, 1 / 64, 0.125, 27 / 64, 1])  # x ** 3


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=8, max_size=8))
def test_gray_stays_gray(numbers: list[float]) -> None:
    draws = np.array(numbers).reshape(4, 1, 2)
    wild = BrightnessSettings(1, (-1, 1), (-1, 10))
    for found in (
        move_window(GRAY, draws[0], WindowSettings(1, 5, 0.99)),
        change_brightness(GRAY, draws[1], wild),
        change_gamma(GRAY, draws[2], GammaSettings(1, (0.1, 10))),
        change_curve(GRAY, draws[3], CurveSettings(1, 3)),
    ):
        assert 0 <= found.min() <= found.max() <= 1
