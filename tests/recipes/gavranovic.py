"""Gavranovic: the header's window in 8 bits, outer contour above 5, stretched to 512 x 512."""

import cv2
import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_windowing

from tests.recipes.prepared import Prepared


def prepare(stored: np.ndarray, header: Dataset, dropped: int = 1) -> Prepared:
    """`dropped` rows and columns are lost, for the greatest px of the contour ends a slice."""
    values = apply_windowing(stored, header).astype(np.float64)
    inverted = header.PhotometricInterpretation == "MONOCHROME1"
    values = values.max() - values if inverted else values - values.min()
    png = (values / values.max() * 255).astype(np.uint8)

    _, binary = cv2.threshold(png, 5, 255, cv2.THRESH_BINARY)
    contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    left, top, width, height = cv2.boundingRect(max(contours, key=cv2.contourArea))
    bottom, right = top + height - dropped, left + width - dropped
    crop = png[top:bottom, left:right]
    small = cv2.resize(crop, (512, 512), interpolation=cv2.INTER_LINEAR)
    image = np.repeat(small[None].astype(np.float32) / 255, 3, axis=0)
    return Prepared((top, bottom, left, right), False, image)
