"""default-1536 and default-2048: the header's own view, fit by area, black at the right.

The box is not looked for: it is that of our own method, which `tests/evidence/test_boxes.py` holds
to the true boxes of phantoms.
"""

import cv2
import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from tests.recipes.prepared import Box, Prepared


def prepare(
    stored: np.ndarray, header: Dataset, size: tuple[int, int], box: Box, mirror: bool
) -> Prepared:
    top, bottom, left, right = box
    crop = display(stored, header)[top:bottom, left:right]
    crop = crop[:, ::-1] if mirror else crop
    scale = min(size[0] / crop.shape[0], size[1] / crop.shape[1])
    height, width = (max(1, int(side * scale)) for side in crop.shape)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(crop), (width, height), interpolation=how)
    canvas = np.zeros(size)
    above = (size[0] - height) // 2
    canvas[above : above + height, :width] = small
    return Prepared(box, mirror, ((canvas - 0.5) / 0.5)[None].astype(np.float32))


def display(stored: np.ndarray, header: Dataset) -> np.ndarray:
    """The header's first VOI LUT or window, 0 ... 1, polarity and padding minded."""
    values = apply_modality_lut(stored, header)
    if "VOILUTSequence" in header:
        values = values.astype(np.int64)
    values = apply_voi_lut(values, header).astype(np.float64)
    if "VOILUTSequence" in header:
        top = 2.0 ** int(header.VOILUTSequence[0].LUTDescriptor[2]) - 1
    else:
        top = 2.0**header.BitsStored - 1
    values = values / top
    if header.PhotometricInterpretation == "MONOCHROME1":
        values = 1 - values
    if "PixelPaddingValue" in header:
        first = int(header.PixelPaddingValue)
        last = int(header.get("PixelPaddingRangeLimit", first))
        values[(stored >= min(first, last)) & (stored <= max(first, last))] = 0
    return values
