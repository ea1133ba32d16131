"""Crop, mirror, resize, pad, normalize: hand-worked numbers, then an independent rendering."""

import numpy as np
import pytest

from dali_pipelines.cpu.resize import axis_weights, resize, resize_content
from dali_pipelines.geometry import content_size
from dali_pipelines.recipe import ResizeSettings
from dali_pipelines.records import Roi

RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4) * 1000
FULL = Roi(0, 4, 0, 4)


def area_by_integral(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Exact box averages from the integral image, in float64: another way to the same numbers."""
    integral = np.zeros((box.shape[0] + 1, box.shape[1] + 1))
    integral[1:, 1:] = box.astype(np.float64).cumsum(0).cumsum(1)
    rows = np.linspace(0, box.shape[0], size[0] + 1)
    columns = np.linspace(0, box.shape[1], size[1] + 1)
    at_rows = np.stack(
        [np.interp(rows, np.arange(len(integral)), column) for column in integral.T], axis=1
    )
    at = np.stack([np.interp(columns, np.arange(at_rows.shape[1]), row) for row in at_rows])
    cells = at[1:, 1:] - at[:-1, 1:] - at[1:, :-1] + at[:-1, :-1]
    return cells / ((rows[1] - rows[0]) * (columns[1] - columns[0]))


def test_halving_averages_two_by_two_pixels() -> None:
    out = resize_content(RAMP, FULL, (2, 2))
    assert out.tolist() == [[2500, 4500], [10500, 12500]]


def test_mirror_flips_left_to_right() -> None:
    out = resize_content(RAMP, Roi(0, 4, 0, 4, mirror=True), (2, 2))
    assert out.tolist() == [[4500, 2500], [12500, 10500]]


def test_doubling_interpolates_between_pixel_centers() -> None:
    line = np.array([[0, 8]], dtype=np.uint16)
    assert resize_content(line, Roi(0, 1, 0, 2), (1, 4)).tolist() == [[0, 2, 6, 8]]


@pytest.mark.parametrize("size", [(7, 5), (31, 11), (40, 30), (1, 1)])
def test_shrinking_is_the_exact_area_mean(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 65536, (40, 30)).astype(np.uint16)
    out = resize_content(image, Roi(0, 40, 0, 30), size)
    assert np.abs(out - area_by_integral(image, size)).max() < 0.05  # float32 sums of 65535


def test_only_the_box_is_read() -> None:
    image = np.full((20, 20), 9, dtype=np.uint16)
    image[5:9, 6:12] = 500
    assert (resize_content(image, Roi(5, 9, 6, 12), (2, 3)) == 500).all()


@pytest.mark.parametrize(("count_in", "count_out"), [(10, 3), (5355, 1536), (3, 10), (7, 7)])
def test_weights_add_up_to_one(count_in: int, count_out: int) -> None:
    sources, weights = axis_weights(count_in, count_out)
    assert sources.min() >= 0
    assert sources.max() < count_in
    assert np.abs(weights.sum(axis=1) - 1).max() < 1e-6


def test_fit_keeps_the_aspect_and_stretch_does_not() -> None:
    roi = Roi(0, 100, 0, 30)
    assert content_size(roi, ResizeSettings(size=(50, 40))) == (50, 15)
    assert content_size(roi, ResizeSettings(size=(50, 40), fit="stretch")) == (50, 40)
    assert content_size(Roi(0, 1000, 0, 1), ResizeSettings(size=(50, 40))) == (50, 1)


@pytest.mark.parametrize(("align", "column"), [("left", 0), ("center", 1)])
def test_padding_is_normalized_black_and_lies_where_align_says(align: str, column: int) -> None:
    white = np.full((4, 2), 65535, dtype=np.uint16)
    settings = ResizeSettings(size=(4, 4), align=align, mean=0.5, std=0.25, channels=3)
    out = np.full((1, 3, 4, 4), np.nan, dtype=np.float32)
    resize([white], [Roi(0, 4, 0, 2)], settings, out)
    expected = np.full((4, 4), -2.0)
    expected[:, column : column + 2] = 2.0
    assert np.array_equal(out[0, 0], expected)
    assert (out[0, 1] == out[0, 0]).all()
    assert (out[0, 2] == out[0, 0]).all()


def test_several_images_of_different_size_fill_their_own_slots() -> None:
    images = [np.full((9, 5), 65535, np.uint16), np.zeros((3, 8), np.uint16)]
    rois = [Roi(0, 9, 0, 5), Roi(0, 3, 0, 8)]
    out = np.empty((2, 1, 6, 6), np.float32)
    resize(images, rois, ResizeSettings(size=(6, 6), fit="stretch", mean=0, std=1), out)
    assert (out[0] == 1).all()
    assert (out[1] == 0).all()
