"""SPR 2025, first place: min-max, largest contour at 5 %, zero outside, pad to 2:1, linear."""

import cv2
import numpy as np
from pydicom import Dataset

from tests.recipes.prepared import Prepared


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    values = stored.astype(np.float64)
    if header.PhotometricInterpretation == "MONOCHROME1":
        values = values.max() - values
    values -= values.min()
    png = (values / values.max() * 65535).astype(np.uint16)

    levels = (png / png.max() * 255).astype(np.uint8)
    binary = (levels > int(0.05 * levels.max())).astype(np.uint8)
    contours, _ = cv2.findContours(binary, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea)
    inside = cv2.drawContours(np.zeros_like(binary), [contour], -1, 1, cv2.FILLED)
    png[inside == 0] = 0
    left, top, width, height = cv2.boundingRect(contour)
    crop = png[top : top + height, left : left + width]

    size = (height, height // 2) if height > 2 * width else (2 * width, width)
    canvas = np.full(size, crop.min(), np.uint16)
    y, x = int((size[0] - height) / 2), int((size[1] - width) / 2)
    canvas[y : y + height, x : x + width] = crop
    large = cv2.resize(canvas, (1024, 2048), interpolation=cv2.INTER_LINEAR)

    shares = (large - large.min()) / float(large.max() - large.min())
    png8 = (shares * 255).astype(np.uint8)
    image = (png8.astype(np.float32) / 255 - 0.5) / 0.5
    return Prepared((top, top + height, left, left + width), False, image[None])
