"""Stemgene: edges cut, largest component above 20, width 224, center crop or pad to 224."""

import cv2
import numpy as np
from PIL import Image
from pydicom import Dataset

from tests.recipes import default
from tests.recipes.prepared import Prepared

CUT = 5


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    shown = default.display(stored, header)[CUT:-CUT, CUT:-CUT]
    png = (shown * 255).astype(np.uint8)
    binary = (png > 20).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    left, top, width, height, _ = parts[1 + np.argmax(parts[1:, cv2.CC_STAT_AREA])].tolist()
    crop = png[top : top + height, left : left + width]

    rows = int(height * (224 / width))
    small = np.asarray(Image.fromarray(crop).resize((224, rows), Image.Resampling.BILINEAR))
    if rows >= 224:
        first = (rows - 224) // 2
        small = small[first : first + 224]
    else:
        above = (224 - rows) // 2
        small = np.pad(small, ((above, 224 - rows - above), (0, 0)))
    image = (small.astype(np.float32) / 255 - 0.5) / 0.5
    box = (top + CUT, top + height + CUT, left + CUT, left + width + CUT)
    return Prepared(box, False, image[None])
