"""Heat of what a network saw, on the px of the file."""

import numpy as np
import pytest

from dali_pipelines.original_px import to_file
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Roi
from trainer.explain.file_grid import on_file

SHAPE = (300, 200)
ROI = {"top": 20, "bottom": 260, "left": 50, "right": 170}


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("fit", ["pad", "pad-first", "width", "stretch", "keep"])
@pytest.mark.parametrize("align", ["left", "center"])
def test_the_hottest_px_comes_to_its_place_in_the_file(mirror: bool, fit: str, align: str) -> None:
    recipe = Recipe("any", resize=ResizeSettings((96, 80), fit, align))  # type: ignore[arg-type]
    roi = Roi(**ROI, mirror=mirror)
    heat = np.zeros((96, 80), np.float32)
    heat[40, 33] = 1
    drawn = on_file(heat, roi, recipe, SHAPE, SHAPE)
    place = to_file(np.array([40.5, 33.5]), roi, recipe)
    rows, columns = np.nonzero(drawn > 0.6 * drawn.max())
    assert abs(rows.mean() + 0.5 - place[0]) < 1
    assert abs(columns.mean() + 0.5 - place[1]) < 1


def test_each_px_is_its_own_where_nothing_is_resized() -> None:
    recipe = Recipe("any", resize=ResizeSettings((30, 40), "keep"))
    heat = np.random.default_rng(0).random((30, 40), np.float32)
    drawn = on_file(heat, Roi(5, 35, 10, 50, mirror=True), recipe, (60, 70), (60, 70))
    assert np.array_equal(drawn[5:35, 10:50], heat[:, ::-1])
    drawn[5:35, 10:50] = 0
    assert not drawn.any()


def test_there_is_no_heat_outside_of_the_box_or_where_it_was_cut_off() -> None:
    recipe = Recipe("any", resize=ResizeSettings((40, 60), "width", "center"))  # 40 of 120 rows
    drawn = on_file(np.ones((40, 60), np.float32), Roi(**ROI), recipe, SHAPE, SHAPE)
    rows, columns = np.nonzero(drawn)
    assert (columns.min(), columns.max()) == (50, 169)
    assert (rows.min(), rows.max()) == (100, 179)  # the middle 80 of the box's 240


def test_drawn_smaller_it_is_the_same_picture() -> None:
    recipe = Recipe("any", resize=ResizeSettings((96, 80)))
    heat = np.outer(np.hanning(96), np.hanning(80)).astype(np.float32)
    large = on_file(heat, Roi(**ROI), recipe, SHAPE, SHAPE)
    small = on_file(heat, Roi(**ROI), recipe, SHAPE, (60, 40))
    assert np.abs(small - large.reshape(60, 5, 40, 5).mean((1, 3)))[6:50, 12:32].max() < 0.01
