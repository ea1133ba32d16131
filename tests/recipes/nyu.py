"""NYU and GMIC, from the ideas of their papers: the eroded breast's box, one window, standardized.

Their code was not looked at. It is our reading that the least value is background, which px a
window keeps of a box that is larger, and that the sums of the halves tell the side.
"""

import numpy as np
from pydicom import Dataset
from scipy import ndimage

from tests.recipes.prepared import Prepared

ERODE, MARGIN = 100, 50
HEIGHT, WIDTH = 2944, 1920


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    values = stored.astype(np.float64)
    if header.PhotometricInterpretation == "MONOCHROME1":
        values = -values
    values -= values.min()
    half = values.shape[1] // 2
    mirror = bool(values[:, -half:].sum() > values[:, :half].sum())
    if mirror:
        values = values[:, ::-1]

    content = values > 0
    eroded = ndimage.binary_erosion(content, iterations=ERODE)
    parts, count = ndimage.label(eroded)
    sizes = ndimage.sum_labels(eroded, parts, range(1, count + 1))
    largest = parts == 1 + np.argmax(sizes)
    # Dilated by as many steps, which moves each side of its box by that many px.
    rows, columns = np.flatnonzero(largest.any(axis=1)), np.flatnonzero(largest.any(axis=0))
    top = max(0, rows[0] - ERODE - MARGIN)
    bottom = min(len(values), rows[-1] + 1 + ERODE + MARGIN)
    left = max(0, columns[0] - ERODE)
    right = min(values.shape[1], columns[-1] + 1 + ERODE + MARGIN)

    inside = content[top:bottom, left:right]
    first = fullest(inside.sum(axis=0), WIDTH)
    left, right = left + first, min(right, left + first + WIDTH)
    inside = content[top:bottom, left:right]
    first = fullest(inside.sum(axis=1), HEIGHT)
    top, bottom = top + first, min(bottom, top + first + HEIGHT)

    window = np.zeros((HEIGHT, WIDTH))
    above = (HEIGHT - (bottom - top)) // 2
    window[above : above + bottom - top, : right - left] = values[top:bottom, left:right]
    image = (window - window.mean()) / max(window.std(), 1e-5)
    if mirror:
        left, right = values.shape[1] - right, values.shape[1] - left
    return Prepared((top, bottom, left, right), mirror, image[None].astype(np.float32))


def fullest(counts: np.ndarray, size: int) -> int:
    """Where `size` neighbors hold the most, the first of equals; 0 where there are no more."""
    if len(counts) <= size:
        return 0
    return int(np.argmax(np.convolve(counts, np.ones(size, int), "valid")))
