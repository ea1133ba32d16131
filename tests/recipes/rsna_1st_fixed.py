"""As rsna_1st, but the window's numbers keep their precision."""

import numpy as np
from pydicom import Dataset

from tests.recipes import rsna_1st
from tests.recipes.prepared import Prepared


def prepare(stored: np.ndarray, header: Dataset) -> Prepared:
    return rsna_1st.prepare(stored, header, number=np.float64)
