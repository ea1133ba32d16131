"""What the network gets, as gray values to be shown."""

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.recipe import Recipe


def display_values(image: NDArray[np.float32], recipe: Recipe) -> NDArray[np.float32]:
    """The first channel (H, W) of a prepared image (C, H, W) as display values 0 ... 1 again.

    Where the recipe spreads each image, 0 and 1 are its least and greatest value.
    """
    shown: NDArray[np.float32] = image[0] * recipe.resize.stds[0] + recipe.resize.means[0]
    if recipe.resize.per_image == "standardize":
        shown -= shown.min()
        shown /= shown.max() or 1
    return shown
