"""Prepared images as display values again."""

import numpy as np

from dali_pipelines.inspection.display_values import display_values
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe


def test_normalization_is_undone() -> None:
    recipe = Recipe("small", resize=ResizeSettings(size=(40, 30), mean=0.5, std=0.25))
    image = np.full((1, 40, 30), (0.75 - 0.5) / 0.25, np.float32)
    assert np.allclose(display_values(image, recipe), 0.75)


def test_what_was_spread_is_shown_from_its_least_to_its_greatest() -> None:
    image = np.array([[[-1.5, 0.0, 2.5]]], np.float32)
    settings = ResizeSettings(size=(1, 3), per_image="standardize", mean=0.0, std=1.0)
    recipe = Recipe("nyu", resize=settings)
    assert display_values(image, recipe).tolist() == [[0, 0.375, 1]]
    assert display_values(np.ones_like(image), recipe).tolist() == [[0, 0, 0]]
    assert image[0, 0, 0] == -1.5
