"""The shrunk image that Otsu's threshold is found on: numbers that both devices must agree on.

They are taken in the order of the published code (github.com/dangnh0611/kaggle_rsna_breast_cancer),
in doubles, so that they are rounded as there.
"""

import math
from dataclasses import dataclass

from dali_pipelines.thumbnail_settings import OtsuSettings


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An image of (height, width) px; `scale` of them are one px of the image it was made of.

    `rank`, from 0: of the greatest of its values, in order, that is not above the percentile. Half
    of `least_half_squares` px is the least area that counts as found.
    """

    height: int
    width: int
    scale: float
    rank: int
    least_half_squares: int


def thumbnail(shape: tuple[int, ...], settings: OtsuSettings) -> Thumbnail:
    """What an image of `shape` (H, W) is shrunk to, at least 1 px a side; small ones are enlarged.

    A value is above a percentile that lies between two values exactly where it is above the lower.
    """
    scale = min(settings.size / shape[0], settings.size / shape[1])
    height, width = (max(1, math.floor(edge * scale)) for edge in shape)
    count = height * width
    rank = int((count - 1) * (settings.percentile / 100))
    return Thumbnail(height, width, scale, rank, math.ceil(2 * settings.min_area * count))
