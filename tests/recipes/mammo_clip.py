"""Mammo-CLIP: edges cut, min-max, longest run that is not constant, stretched by area."""

import cv2
import numpy as np
from pydicom import Dataset

from tests.recipes.prepared import Prepared

CUT = 5


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    values = stored[CUT:-CUT, CUT:-CUT].astype(np.float64)
    if header.PhotometricInterpretation == "MONOCHROME1":
        values = values.max() - values
    values -= values.min()
    png = (values / values.max() * 255).astype(np.uint8)

    dark = np.where(png <= 40, 0, png)
    middle, reach = len(dark) // 2, int(len(dark) * 0.4)
    left, right = longest_run(dark[middle - reach : middle + reach].std(axis=0) != 0)
    dark = dark[:, left:right]
    middle, reach = (right - left) // 2, int((right - left) * 0.4)
    top, bottom = longest_run(dark[:, middle - reach : middle + reach].std(axis=1) != 0)

    crop = png[top:bottom, left:right]
    small = cv2.resize(crop, (912, 1520), interpolation=cv2.INTER_AREA).astype(np.float32)
    small = (small - small.min()) / (small.max() - small.min())
    image = (small - 0.3089279) / 0.25053555408335154
    box = (top + CUT, bottom + CUT, left + CUT, right + CUT)
    return Prepared(box, False, np.repeat(image[None], 3, axis=0).astype(np.float32))


def longest_run(kept: np.ndarray) -> tuple[int, int]:
    """[first, last + 1) of the longest run of True, the first of equals.

    As it is counted there, a run that touches an end of the array counts one less for it.
    """
    best, longest, start = (0, 0), -1, None
    for k, value in enumerate([*kept.tolist(), False]):
        if value and start is None:
            start = k
        elif not value and start is not None:
            count = k - start - (start == 0) - (k == len(kept))
            if count > longest:
                best, longest = (start, k), count
            start = None
    return best
