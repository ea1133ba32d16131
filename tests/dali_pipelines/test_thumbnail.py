"""Sizes of the image that Otsu's threshold is found on."""

import numpy as np
import pytest

from dali_pipelines.thumbnail import thumbnail
from dali_pipelines.thumbnail_settings import OtsuSettings


@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((832, 416), (416, 208)),
        ((3328, 2560), (416, 320)),
        ((4096, 3328), (416, 338)),  # 3328 * 416 / 4096
        ((100, 26), (416, 108)),  # enlarged: 26 * 4.16 is 108.16
        ((9000, 3), (416, 1)),
    ],
)
def test_it_fits_the_square(shape: tuple[int, int], size: tuple[int, int]) -> None:
    made = thumbnail(shape, OtsuSettings())
    assert (made.height, made.width) == size
    assert made.scale == 416 / max(shape)


@pytest.mark.parametrize("percentile", [0.0, 3.3, 50.0, 95.0, 99.99, 100.0])
def test_what_is_above_the_rank_is_above_the_percentile(percentile: float) -> None:
    made = thumbnail((97, 61), OtsuSettings(size=40, percentile=percentile))
    values = np.random.default_rng(3).integers(0, 256, made.height * made.width)
    least = np.sort(values)[made.rank]
    assert np.array_equal(values > least, values > np.percentile(values, percentile))


def test_the_least_size_counts_half_squares() -> None:
    assert thumbnail((50, 50), OtsuSettings(size=50, min_area=0.04)).least_half_squares == 200
    assert thumbnail((51, 50), OtsuSettings(size=51, min_area=0.041)).least_half_squares == 210
