"""How display values become the network's numbers: what both devices must agree on to the bit."""

from typing import Final

import numpy as np

from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.pixel_settings import ResizeSettings

# A display value this near below a level counts as that level where values are rounded down: sums
# in float32 of a few px of one value come out up to 2 of its last places (1/128) below that value.
ROUNDING_SLACK: Final = 1 / 32
LEAST_DEVIATION: Final = 1e-5 * DISPLAY_TOP  # an image more even than this is divided by this


def level_step(settings: ResizeSettings) -> int:
    """Display values from one level of the output to the next; 0 where none are rounded."""
    return 0 if settings.bits is None else DISPLAY_TOP // (2**settings.bits - 1)


def affines(settings: ResizeSettings, unit: float) -> list[tuple[np.float32, np.float32]]:
    """For each channel (scale, shift): a value v becomes v * scale + shift; `unit` is its 1.

    0 becomes 0, not -0, where the mean is 0.
    """
    return [
        (np.float32(1 / (unit * std)), np.float32(0) + np.float32(-mean / std))
        for mean, std in zip(settings.means, settings.stds, strict=True)
    ]
