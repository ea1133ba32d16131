"""As mirai, but MONOCHROME1 is inverted, and no file gets a sigmoid over its own range."""

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi

from tests.recipes.mirai import min_max_window, tensor
from tests.recipes.prepared import Prepared


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    values = apply_modality_lut(stored, header).astype(np.float64)
    if "VOILUTSequence" in header and "GE" in header.get("Manufacturer", ""):
        bits = int(header.VOILUTSequence[0].LUTDescriptor[2])
        png = apply_voi(values.astype(np.int64), header, index=0) * 2.0 ** (16 - bits)
    else:
        png = min_max_window(values, "LINEAR")
    if header.PhotometricInterpretation == "MONOCHROME1":
        png = 65535 - png
    return tensor(png)
