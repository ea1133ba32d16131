"""Contact sheets: a picture of what the network gets, the same bytes each time."""

import io

import numpy as np
import pytest
from matplotlib.image import imread

from dali_pipelines.inspection.contact_sheet import Tile, contact_sheet, display_values
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe

RECIPE = Recipe("small", resize=ResizeSettings(size=(40, 30), mean=0.5, std=0.25))


def tile(display: float) -> Tile:
    return Tile(np.full((1, 40, 30), (display - 0.5) / 0.25, np.float32), f"{display}")


def test_normalization_is_undone() -> None:
    assert np.allclose(display_values(tile(0.75).image, RECIPE), 0.75)


def test_what_was_spread_is_shown_from_its_least_to_its_greatest() -> None:
    image = np.array([[[-1.5, 0.0, 2.5]]], np.float32)
    settings = ResizeSettings(size=(1, 3), per_image="standardize", mean=0.0, std=1.0)
    recipe = Recipe("nyu", resize=settings)
    assert display_values(image, recipe).tolist() == [[0, 0.375, 1]]
    assert display_values(np.ones_like(image), recipe).tolist() == [[0, 0, 0]]
    assert image[0, 0, 0] == -1.5


def test_tiles_are_black_to_white_in_their_order() -> None:
    picture = imread(io.BytesIO(contact_sheet([tile(0.0), tile(1.0)], RECIPE)))
    middle = picture[int(picture.shape[0] * 0.6), :, 0]
    assert middle[len(middle) // 4] == pytest.approx(0, abs=0.02)
    assert middle[3 * len(middle) // 4] == pytest.approx(1, abs=0.02)


def test_more_than_eight_tiles_take_another_row_and_nothing_changes_between_calls() -> None:
    one_row, two_rows = (contact_sheet([tile(0.5)] * n, RECIPE) for n in (8, 9))
    assert imread(io.BytesIO(two_rows)).shape[0] > 1.8 * imread(io.BytesIO(one_row)).shape[0]
    assert contact_sheet([tile(0.5)] * 9, RECIPE) == two_rows


def test_nothing_to_show_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet([], RECIPE)
