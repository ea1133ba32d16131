"""The resize step in a straight line: one output px after another, one term after another."""

import math

import numpy as np

from dali_pipelines.geometry import placement
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi


def weights_of(k: int, count_in: int, count_out: int, kind: str) -> list[tuple[int, np.float32]]:
    """(source, weight) of output sample k, from the lowest source up; as the file says, plainly."""
    low, high = k * count_in / count_out, (k + 1) * count_in / count_out
    if kind == "triangle":
        return triangle_weights(k, count_in, count_out)
    if kind == "linear" or count_out >= count_in:
        center = min(max((low + high) / 2 - 0.5, 0), count_in - 1)
        lower = math.floor(center)
        upper = min(lower + 1, count_in - 1)
        return [(lower, np.float32(1 - (center - lower))), (upper, np.float32(center - lower))]
    shares = [
        (source, min(source + 1, high) - max(source, low))
        for source in range(math.floor(low), math.ceil(high))
    ]
    return [(source, np.float32(share * (count_out / count_in))) for source, share in shares]


def triangle_weights(k: int, count_in: int, count_out: int) -> list[tuple[int, np.float32]]:
    reach = max(1.0, count_in / count_out)
    center = (k + 0.5) * count_in / count_out
    first = max(0, math.floor(center - reach + 0.5))
    end = min(count_in, math.floor(center + reach + 0.5))
    heights = [max(0.0, 1 - abs(x + 0.5 - center) * (1 / reach)) for x in range(first, end)]
    total = 0.0
    for height in heights:
        total += height
    return [(first + j, np.float32(height * (1 / total))) for j, height in enumerate(heights)]


def plain_rows(image: np.ndarray, count_out: int, kind: str) -> np.ndarray:
    """Each output row as the sum of its source rows in float32, one after another."""
    lines = []
    for k in range(count_out):
        line = np.zeros(image.shape[1], np.float32)
        for source, weight in weights_of(k, len(image), count_out, kind):
            line = line + image[source].astype(np.float32) * weight
        lines.append(line)
    return np.stack(lines)


def plain_picture(display: np.ndarray, roi: Roi, settings: ResizeSettings) -> np.ndarray:
    """The display values of the output (H, W), without strips, gathers and taps left out."""
    box = display[roi.top : roi.bottom, roi.left : roi.right]
    rows, columns = placement(roi, settings)
    frame = np.zeros((rows.count_in, columns.count_in), np.uint16)
    frame[rows.before :, columns.before :][: roi.height, : roi.width] = (
        box[:, ::-1] if roi.mirror else box
    )
    picture = plain_rows(frame, rows.count_out, settings.filter)
    picture = plain_rows(picture.T, columns.count_out, settings.filter).T
    canvas = np.zeros(settings.size, np.float32)
    for y, x in np.ndindex(*settings.size):
        from_y, from_x = y - rows.corner, x - columns.corner
        if 0 <= from_y < rows.count_out and 0 <= from_x < columns.count_out:
            canvas[y, x] = picture[from_y, from_x]
    return canvas


def plain(display: np.ndarray, roi: Roi, settings: ResizeSettings) -> np.ndarray:
    """The step in a straight line, (C, H, W), with nothing done per image."""
    canvas = plain_picture(display, roi, settings)
    if settings.bits is not None:
        step, top = (257, 255) if settings.bits == 8 else (1, 65535)
        slack = np.float32(1 / 32 if settings.rounding == "down" else 0)
        levels = (canvas + slack) * np.float32(1 / step)
        levels = np.floor(levels) if settings.rounding == "down" else np.rint(levels)
        canvas = np.minimum(levels, np.float32(top)) * np.float32(step)
    planes = []
    for mean, std in zip(settings.means, settings.stds, strict=True):
        plane = canvas * np.float32(1 / (65535 * std))
        planes.append(plane + np.float32(-mean / std))
    return np.stack(planes)
