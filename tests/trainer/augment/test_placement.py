"""Matrices of what moves px, against OpenCV's and by hand."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.augment.geometry_settings import AffineSettings, CropSettings, ElasticSettings
from trainer.augment.placement import (
    affine_matrices,
    after,
    corner_matrices,
    crop_boxes,
    crop_matrices,
    flip_matrices,
    identity,
    inverted,
)

SIZE = (200, 100)
MIDDLE = np.full((1, 6), 0.5)


def move(matrices: np.ndarray, *points: tuple[float, float]) -> list[list[float]]:
    """Where the first matrix takes points (x, y)."""
    placed = np.array(points) @ matrices[0, :, :2].T + matrices[0, :, 2]
    return placed.round(9).tolist()


def test_rotation_and_scale_are_opencvs() -> None:
    draws = MIDDLE.copy()
    draws[0, [0, 3]] = 1.0, 0.0  # the greatest angle, the least scale
    found = affine_matrices(draws, SIZE, AffineSettings(1, rotate=30, scale=(0.8, 1.2)))
    # OpenCV turns the other way where y points down
    np.testing.assert_allclose(found[0], cv2.getRotationMatrix2D((0, 0), -30, 0.8), atol=1e-12)


def test_shifts_are_shares_of_height_and_width() -> None:
    draws = MIDDLE.copy()
    draws[0, 1:3] = 1.0, 0.0
    settings = AffineSettings(1, rotate=0, shift=(0.1, 0.2), scale=(1, 1))
    assert move(affine_matrices(draws, SIZE, settings), (0, 0)) == [[-20, 20]]


def test_shear_leans_before_it_turns() -> None:
    draws = MIDDLE.copy()
    draws[0, [0, 4]] = 1.0, 1.0
    settings = AffineSettings(1, rotate=90, shift=(0, 0), scale=(1, 1), shear=(26.565051177, 0))
    # (0, 2) leans to (1, 2), then turns by 90 degrees from x to y
    assert move(affine_matrices(draws, SIZE, settings), (0, 2), (1, 0)) == [[-2, 1], [0, 1]]


def test_the_middle_of_every_range_moves_nothing() -> None:
    for found in (
        affine_matrices(MIDDLE, SIZE, AffineSettings(1, shear=(20, 20))),
        corner_matrices(MIDDLE, SIZE, ElasticSettings(1, affine=30)),
    ):
        np.testing.assert_allclose(found, identity(1), atol=1e-12)


def test_corners_go_where_they_are_sent() -> None:
    draws = np.random.default_rng(0).random((1, 6))
    side = 100 // 3
    corners = np.array([(side, side), (side, -side), (-side, -side)], np.float32)
    sent = corners + 12 * (2 * draws.reshape(3, 2) - 1).astype(np.float32)
    found = corner_matrices(draws, SIZE, ElasticSettings(1, affine=12))
    np.testing.assert_allclose(found[0], cv2.getAffineTransform(corners, sent), atol=1e-5)


def test_boxes_have_the_area_ratio_and_place_drawn() -> None:
    draws = np.array([[0.5, 0.0, 0.0, 1.0], [1.0, 1.0, 0.5, 0.5]])
    found = crop_boxes(draws, SIZE, CropSettings(1, scale=(0.2, 0.6), ratio=(0.5, 2)))
    height = np.sqrt(8000 / 0.5)
    first = [-50 + height / 4, 100 - height / 2, height / 4, height / 2]
    assert found[0].tolist() == pytest.approx(first)  # at the left, at the bottom
    # 12000 px of ratio 2 would be 155 wide: cut to the frame
    assert found[1].tolist() == pytest.approx([0, 0, 50, np.sqrt(6000) / 2])


@pytest.mark.parametrize(
    ("fit", "corner"), [("stretch", [[50, 100], [0, 0]]), ("pad", [[50, 50], [0, 0]])]
)
def test_a_box_fills_the_frame_or_keeps_its_aspect(fit: str, corner: list[list[float]]) -> None:
    box = np.array([[10.0, 20.0, 25.0, 25.0]])
    found = crop_matrices(box, SIZE, CropSettings(1, fit=fit))  # type: ignore[arg-type]
    assert move(found, (35, 45), (10, 20)) == corner


def test_what_comes_after_sees_what_was_moved() -> None:
    flipped = flip_matrices(np.array([True]), np.array([False]))
    shift = identity(1)
    shift[0, 0, 2] = 7
    assert move(after(flipped, shift), (1, 2)) == [[-8, 2]]
    assert move(after(shift, flipped), (1, 2)) == [[6, 2]]


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_the_inverse_takes_back(numbers: list[float]) -> None:
    settings = AffineSettings(1, 180, (1, 1), (0.1, 10), (40, 40))
    there = affine_matrices(np.array([numbers]), SIZE, settings)
    np.testing.assert_allclose(after(inverted(there), there), identity(1), atol=1e-9)
