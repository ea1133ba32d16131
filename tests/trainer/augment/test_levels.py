"""Black and white among the numbers of each recipe."""

import pytest
import torch

from dali_pipelines.recipe import load_recipe, recipe_names
from trainer.augment.levels import Levels, from_gray, to_gray


def test_black_and_white_of_imagenets_mean() -> None:
    levels = Levels.of(load_recipe("rsna-1st"))
    assert levels.black == pytest.approx((-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225))
    assert levels.white == pytest.approx((0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225))


@pytest.mark.parametrize("name", recipe_names())
def test_gray_comes_back_as_it_was(name: str) -> None:
    recipe = load_recipe(name)
    gray = torch.rand(2, 1, 8, 6)
    gray[:, :, 0, 0], gray[:, :, 0, 1] = 0, 1
    means, stds = (
        torch.tensor(v)[:, None, None] for v in (recipe.resize.means, recipe.resize.stds)
    )
    images = (gray - means) / stds
    black, white = Levels.of(recipe).bounds(images)
    assert torch.allclose(to_gray(images, black, white), gray, atol=1e-5)
    again = from_gray(gray, black, white, like=images)
    assert again.shape == images.shape
    assert torch.allclose(again, images, atol=1e-4)


def test_standardized_images_have_levels_of_their_own() -> None:
    levels = Levels.of(load_recipe("nyu"))
    assert levels == Levels(None, None)
    images = torch.tensor([[-1.0, 0.0, 3.0], [5.0, 5.0, 5.0]]).reshape(2, 1, 1, 3)
    black, white = levels.bounds(images)
    assert black.flatten().tolist() == [-1, 5]
    assert white.flatten().tolist() == [3, 6]  # an even image is black
    assert to_gray(images, black, white).flatten().tolist() == [0, 0.25, 1, 0, 0, 0]


def test_the_dtype_stays() -> None:
    levels = Levels((-1.0,), (1.0,))
    images = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.bfloat16).reshape(1, 1, 1, 3)
    black, white = levels.bounds(images)
    gray = to_gray(images, black, white)
    assert (gray.dtype, gray.flatten().tolist()) == (torch.float32, [0, 0.5, 1])
    assert torch.equal(from_gray(gray, black, white, like=images), images)
