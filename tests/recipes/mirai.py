"""Mirai: VOI LUT or min-max, stretched by Pillow, the breast facing left, no polarity."""

import numpy as np
from PIL import Image
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi

from tests.recipes.prepared import Prepared

MEAN, STD = 7047.99, 12005.5


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    values = apply_modality_lut(stored, header).astype(np.float64)
    if "VOILUTSequence" in header and "GE" in header.get("Manufacturer", ""):
        bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
        png = apply_voi(values.astype(np.int64), header, index=0).astype(np.float64)
        png *= 2 ** (16 - bits)
    else:
        png = min_max_window(values, header.get("VOILUTFunction", "LINEAR"))
    return tensor(png)


def min_max_window(values: np.ndarray, function: str) -> np.ndarray:
    """The header's function with a window from the least to the greatest value, 0 ... 65535."""
    least, most = values.min(), values.max()
    center, width = (least + most + 1) / 2, most - least + 1
    if function == "SIGMOID":
        return 65535 / (1 + np.exp(-4 * (values - center) / width))
    return np.clip(((values - (center - 0.5)) / (width - 1) + 0.5) * 65535, 0, 65535)


def tensor(png: np.ndarray) -> Prepared:
    height, width = png.shape
    picture = Image.fromarray(np.clip(png, 0, 65535).astype(np.int32))
    small = np.asarray(picture.resize((1664, 2048), Image.Resampling.BILINEAR), np.float64)
    quarter = small.shape[1] // 4
    # The breast faces left: both sums there leave out the quarter that they are named after.
    mirror = bool(small[:, :quarter].sum() > small[:, -quarter:].sum())
    small = small[:, ::-1] if mirror else small
    image = ((small - MEAN) / STD).astype(np.float32)
    return Prepared((0, height, 0, width), mirror, np.repeat(image[None], 3, axis=0))
