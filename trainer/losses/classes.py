"""What a manifest says of an image, as the number that an auxiliary task learns.

The columns are those of the headers and of the adapters' tables. Tables of unknown origin may spell
a class in other ways; each way that is understood stands here.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MAX_YEARS: Final = 100.0  # ages are learned as a share of it, in (0, 1)

# Views by the plane they show (PS3.16 CID 4014). Slanted ones other than MLO and its reverse, the
# axillary tail and specimens are too rare to be learned, and count as unknown.
_PROJECTIONS: Final = (
    ("CC", "FB", "CV"),
    ("MLO", "LMO"),
    ("ML", "LM"),
    ("XCCL", "XCCM", "XCC"),
)
_CLASSES: Final[Mapping[str, Mapping[str, float]]] = {
    "birads": {
        **{str(grade): float(grade) for grade in range(7)},
        **dict.fromkeys(("4A", "4B", "4C"), 4.0),
    },
    "density": {
        cell: float(grade)
        for grade, letter in enumerate("ABCD")
        for cell in (letter, str(grade + 1))
    },
    "view": {view: float(plane) for plane, views in enumerate(_PROJECTIONS) for view in views},
    "implant": {"TRUE": 1.0, "1": 1.0, "FALSE": 0.0, "0": 0.0},
}


def class_count(task: str) -> int:
    """How many classes a task has; 1 where it is a number or yes or no."""
    kinds = set(_CLASSES.get(task, {}).values())
    return len(kinds) if len(kinds) > 2 else 1


def image_values(column: "pd.Series[Any]", task: str) -> NDArray[np.float64]:
    """The target (n,) of each image: a class from 0 on, 0 or 1, or age as a share of MAX_YEARS.

    NaN where the column says nothing that is understood.
    """
    if task == "age":
        years = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
        return np.where((years > 0) & (years < MAX_YEARS), years / MAX_YEARS, np.nan)
    cells = column.astype("string").str.strip().str.upper().str.removesuffix(".0")
    values = cells.map(_CLASSES[task])
    return np.asarray(values.to_numpy(np.float64, na_value=np.nan))
