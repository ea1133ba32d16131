"""The lecture: window, min-max, breast at the left, profile of sum times deviation, pad, area."""

import cv2
import numpy as np
from pydicom import Dataset

from tests.recipes.prepared import Prepared

SIZE = (1344, 768)
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    values = stored.astype(np.float64)
    if "WindowWidth" in header:
        center = float(np.ravel(header.WindowCenter)[0])
        width = float(np.ravel(header.WindowWidth)[0])
        top_value = 2.0**header.BitsStored - 1
        if header.get("VOILUTFunction", "LINEAR") == "SIGMOID":
            values = top_value / (1 + np.exp(-4 * (values - center) / width))
        else:
            values = ((values - (center - 0.5)) / (width - 1) + 0.5) * top_value
            values = np.clip(values, 0, top_value)
    if header.PhotometricInterpretation == "MONOCHROME1":
        values = values.max() - values
    values -= values.min()
    png = (values / values.max() * 255).astype(np.uint8)

    full_width = png.shape[1]
    tenth = int(full_width * 0.1)
    mirror = int(png[:, -tenth:].sum(dtype=np.int64)) > int(png[:, :tenth].sum(dtype=np.int64))
    png = png[:, ::-1] if mirror else png

    columns = profile(png, axis=0)
    start = int(np.argmax(columns[: int(len(columns) * 0.75)]))
    below = np.flatnonzero(columns[start:] < 0.05 * columns.max())
    end = start + int(below[0]) if len(below) else len(columns) - 1
    png = png[:, :end]

    rows = profile(png, axis=1)
    quarter = int(len(rows) * 0.25)
    peak = quarter + int(np.argmax(rows[quarter : int(len(rows) * 0.75)]))
    low = np.flatnonzero(rows < 0.10 * rows.max())
    above, under = low[low < peak], low[low > peak]
    top = int(above[-1]) if len(above) else 0
    bottom = int(under[0]) if len(under) else len(rows)
    png = png[top:bottom]

    height, width = png.shape
    wanted = SIZE[0] / SIZE[1]
    if height / width > wanted:
        png = np.pad(png, ((0, 0), (0, int(height / wanted) - width)))
    else:
        half = int(0.5 * (width * wanted - height))
        png = np.pad(png, ((half, half), (0, 0)))
    small = cv2.resize(png, SIZE[::-1], interpolation=cv2.INTER_AREA)
    image = (small / 255 - MEAN[:, None, None]) / STD[:, None, None]
    left, right = (full_width - end, full_width) if mirror else (0, end)
    return Prepared((top, bottom, left, right), mirror, image.astype(np.float32))


def profile(png: np.ndarray, axis: int) -> np.ndarray:
    """Smoothed sum times smoothed standard deviation of each column (axis 0) or row."""
    length = max(1, int(0.01 * png.shape[1 - axis]))
    box = np.ones(length) / length
    sums, deviations = png.sum(axis=axis, dtype=np.float64), png.std(axis=axis)
    return np.convolve(sums, box, "same") * np.convolve(deviations, box, "same")
