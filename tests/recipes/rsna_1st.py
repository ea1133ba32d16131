"""RSNA 2023, first place: Otsu box on a 416 px thumbnail, the header's window, fit and pad.

The box detector before it needs weights; this is what the winner does where it finds nothing.
"""

import cv2
import numpy as np
import torch
from pydicom import Dataset
from torch.nn.functional import interpolate

from tests.recipes.prepared import Box, Prepared

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def prepare(stored: np.ndarray, header: Dataset, number: type = np.float16) -> Prepared:
    """`number` is the type that window center and width go through."""
    inverted = header.PhotometricInterpretation == "MONOCHROME1"
    top, bottom, left, right = box = find_box(stored.astype(np.float32), inverted)
    crop = stored[top:bottom, left:right].astype(np.float64)

    if "WindowWidth" in header:
        center, width = (
            float(number(np.ravel(header[name].value)[0]))
            for name in ("WindowCenter", "WindowWidth")
        )
        function = header.get("VOILUTFunction", "LINEAR")
        if function == "SIGMOID":
            display = 255 / (1 + np.exp(-4 * (crop - center) / width))
        else:
            if function == "LINEAR":
                center, width = center - 0.5, width - 1
            slope = 255 / width
            display = np.clip(crop * slope + (-center / width + 0.5) * 255, 0, 255)
    else:
        display = (crop - crop.min()) / (crop.max() - crop.min()) * 255
    if inverted:
        display = 255 - display

    ratio = min(2048 / display.shape[0], 1024 / display.shape[1])
    shrunk = linear(display.astype(np.float32), ratio)
    size = shrunk.shape
    canvas = np.zeros((2048, 1024), np.uint8)
    y, x = (2048 - size[0]) // 2, (1024 - size[1]) // 2
    canvas[y : y + size[0], x : x + size[1]] = shrunk.astype(np.uint8)

    image = (canvas - MEAN[:, None, None] * 255) / (STD[:, None, None] * 255)
    return Prepared(box, False, image.astype(np.float32))


def linear(image: np.ndarray, ratio: float) -> np.ndarray:
    """Without antialias; the sides are rounded down."""
    tensor = torch.from_numpy(image)[None, None]
    return interpolate(
        tensor,
        scale_factor=ratio,
        mode="bilinear",
        recompute_scale_factor=True,
        align_corners=False,
    )[0, 0].numpy()


def find_box(values: np.ndarray, inverted: bool) -> Box:
    height, width = values.shape
    full = (values - values.min()) / (values.max() - values.min()) * 255
    full = 255 - full if inverted else full
    ratio = min(416 / height, 416 / width)
    levels = linear(full, ratio).astype(np.uint8)
    levels[levels > np.percentile(levels, 95)] = levels.min()
    blurred = cv2.GaussianBlur(levels, (5, 5), 0)
    _, binary = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    binary = cv2.dilate(binary, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3)))
    contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea)
    if cv2.contourArea(contour) < 0.04 * levels.size:
        return 0, height, 0, width
    x, y, w, h = cv2.boundingRect(contour)
    left, top, right, bottom = (int(edge / ratio) for edge in (x, y, x + w, y + h))
    return max(top, 0), min(bottom, height), max(left, 0), min(right, width)
