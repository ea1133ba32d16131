"""Display values to the network's numbers: rounded, spread over each image, (v - mean) / std."""

import math

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.output_values import LEAST_DEVIATION, ROUNDING_SLACK, affines, level_step
from dali_pipelines.pixel_settings import ResizeSettings

Values = NDArray[np.float32]


def round_levels(values: Values, settings: ResizeSettings) -> None:
    """Round display values 0 ... 65535 in place to the levels of `settings.bits`, if any."""
    step = level_step(settings)
    if not step:
        return
    if settings.rounding == "down":
        values += np.float32(ROUNDING_SLACK)
    values *= np.float32(1 / step)
    (np.floor if settings.rounding == "down" else np.rint)(values, out=values)
    np.minimum(values, np.float32(DISPLAY_TOP // step), out=values)  # sums of many px may exceed it
    values *= np.float32(step)


def normalize(canvas: Values, settings: ResizeSettings) -> None:
    """Make of the display values in `canvas[0]` the network's numbers in all of (C, H, W)."""
    unit = _spread(canvas[0], settings)
    pairs = affines(settings, unit)
    for channel in range(len(canvas) - 1, -1, -1):  # the first last: the others are made of it
        if channel == 0 or pairs[channel] != pairs[0]:
            np.multiply(canvas[0], pairs[channel][0], out=canvas[channel])
            canvas[channel] += pairs[channel][1]
    for channel in range(1, len(canvas)):
        if pairs[channel] == pairs[0]:
            canvas[channel] = canvas[0]


def _spread(values: Values, settings: ResizeSettings) -> float:
    """Subtract in place what each image is to have subtracted; return what is to become 1."""
    if settings.per_image == "none":
        return DISPLAY_TOP
    if settings.per_image == "standardize":
        mean, deviation = _moments(values)
        values -= np.float32(mean)
        return max(deviation, LEAST_DEVIATION)
    low, high = values.min(), values.max()
    values -= low
    span = float(high) - float(low) or 1.0  # an image of one value becomes black
    if settings.per_image_bits is None:
        return span
    values[:] = np.floor(values.astype(np.float64) * 255 / span)
    return 255


def _moments(values: Values) -> tuple[float, float]:
    """Mean and standard deviation of display values, each rounded to an integer first.

    Sums of integers are exact, so they are the same in whatever order another device takes them.
    """
    levels = np.rint(values).astype(np.int64).ravel()
    mean = int(levels.sum()) / levels.size
    square = float(int((levels * levels).sum())) / levels.size
    return mean, math.sqrt(max(0.0, square - mean * mean))
