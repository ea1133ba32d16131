"""The quality of a box: high for the right one, low for any other, 0 where nothing can be said."""

from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.cpu.roi import roi
from dali_pipelines.inspection.box_quality import box_quality
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi
from tests.disturbed_phantoms import DISTURBANCES, disturb, draw_case
from tests.drawn_breasts import half_ellipse

BREAST = half_ellipse((1024, 800), (100, 900, 500), 30000)  # blocks of 4 x 4 px
TRUE = Roi(100, 900, 0, 500)


def square(side: int) -> np.ndarray:
    """A square of that side in the middle of 128 px, which are as many blocks."""
    image = np.zeros((128, 128), np.uint16)
    start = 64 - side // 2
    image[start : start + side, start : start + side] = 30000
    return image


def test_shares_of_squares_over_those_of_an_ellipse() -> None:
    # A box of 40 x 40 around one of 20 x 20 shares 400 of 1600 blocks.
    assert box_quality(square(20), Roi(44, 84, 44, 84)) == pytest.approx(400 / 1600 / (np.pi / 4))
    assert box_quality(square(40), Roi(54, 74, 54, 74)) == pytest.approx(400 / 1600 / (np.pi / 4))
    assert box_quality(square(40), Roi(44, 84, 44, 84)) == 1.0
    assert box_quality(square(20), Roi(0, 20, 0, 20)) == 0.0


def test_the_true_box_of_a_breast_is_near_1() -> None:
    assert box_quality(BREAST, TRUE) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    "wrong",
    [
        Roi(0, 1024, 0, 800),
        Roi(100, 500, 0, 500),
        Roi(100, 900, 250, 500),
        Roi(100, 900, 0, 800),
        Roi(0, 100, 0, 800),
    ],
    ids=["frame", "upper half", "outer half", "too wide", "air"],
)
def test_a_wrong_box_is_worse(wrong: Roi) -> None:
    assert box_quality(BREAST, wrong) < 0.8


def test_nothing_found_or_nothing_to_see_is_0() -> None:
    assert box_quality(BREAST, replace(TRUE, found=False)) == 0
    assert box_quality(np.full((64, 64), 700, np.uint16), Roi(0, 64, 0, 64)) == 0


@pytest.mark.parametrize("kind", range(len(DISTURBANCES) + 1))
def test_disturbances_cost_little(kind: int) -> None:
    case = disturb(draw_case(4 * kind + 2, 512, 416), kind, np.random.default_rng(kind))
    (found,) = roi([case.display], RoiSettings())
    assert box_quality(case.display, found) > 0.85
    shifted = replace(found, left=found.left // 2, right=(found.left + found.right) // 2)
    assert box_quality(case.display, shifted) < 0.8
