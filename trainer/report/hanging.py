"""How the images of an exam hang: as readers hang them, RCC | LCC above RMLO | LMLO.

The right breast is at the left and the left one at the right, with the chest walls together in the
middle, as when one faces the patient. Source: IHE Mammography Image profile, hanging of current
exams; ACR-AAPM-SIIM practice parameter for digital mammography, section on display.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from dali_pipelines.inspection.content import expected_side
from dali_pipelines.plan import EMPTY
from dali_pipelines.records import ImageTags
from dali_pipelines.roi_settings import RoiSettings
from trainer.units import build_units

Edge = Literal["left", "right", ""]

_ORDER: Final = (0, 2, 1, 3)  # of a unit's places R-CC, R-MLO, L-CC, L-MLO
PLACES: Final = ("R CC", "L CC", "R MLO", "L MLO")  # in that order, row by row
_CHEST: Final[dict[str, Edge]] = {"R": "right", "L": "left"}  # of a tile of that breast
_MADE: Final[dict[str, Edge]] = {"chest-left": "left", "chest-right": "right", "none": ""}


@dataclass(frozen=True, slots=True)
class Hanging:
    """The rows of an exam at PLACES, None where a view is missing; `others` images do not hang."""

    places: tuple[int | None, ...]
    others: int


def hang(exam: pd.DataFrame) -> Hanging | None:
    """The hanging of the manifest rows of one exam, None where no image says its side.

    A view that was taken twice hangs once, the most usual image of it, and an unusual view in the
    place of the standard one that is missing.
    """
    sided = exam["laterality"].isin(list(_CHEST)).to_numpy()
    members = build_units(exam, "exam").members
    shown = members[[sided[unit[unit != EMPTY]].all() for unit in members]]
    if not len(shown):
        return None
    first = shown[np.argmax((shown != EMPTY).sum(axis=1))]
    places = tuple(None if first[k] == EMPTY else int(first[k]) for k in _ORDER)
    return Hanging(places, len(exam) - sum(place is not None for place in places))


def is_turned(tags: ImageTags, recipe: RoiSettings) -> bool:
    """Whether a prepared picture must be flipped left to right to hang.

    Where the recipe has put the chest wall to one side it is there; else where the header says.
    """
    chest = _MADE[recipe.mirror] or expected_side(tags)
    wanted = _CHEST.get(tags.laterality, "")
    return "" not in (chest, wanted) and chest != wanted
