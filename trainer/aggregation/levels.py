"""Image scores to breast scores (mean of views) to patient scores (max of breasts).

A missing view is simply absent. An image of unknown laterality counts to a breast of its own,
"?", so that it can raise its patient's score but neither side's.
"""

from typing import Final, Literal

import pandas as pd

Level = Literal["image", "breast", "patient"]
LEVELS: Final[tuple[Level, ...]] = ("image", "breast", "patient")
UNKNOWN_SIDE: Final = "?"

# what becomes of the other columns of a group: the label of a breast is that of its worst image
_KEPT: Final = {"cancer": "max", "fold": "first", "recipe_hash": "first"}


def aggregate(images: pd.DataFrame, level: Level) -> pd.DataFrame:
    """The scores of one level, from a row per image with patient_id, laterality and prob."""
    if level == "image":
        return images
    breasts = breast_scores(images)
    return breasts if level == "breast" else patient_scores(breasts)


def breast_scores(images: pd.DataFrame) -> pd.DataFrame:
    """One row per patient and side, sorted; `prob` is the mean over the side's `images` images.

    cancer, fold and recipe_hash are carried along where the input has them.
    """
    sided = images.assign(laterality=side(images["laterality"]))
    return _grouped(sided, ["patient_id", "laterality"], {"prob": "mean"}, "images")


def patient_scores(breasts: pd.DataFrame) -> pd.DataFrame:
    """One row per patient, sorted; `prob` is the greatest among the patient's `breasts` breasts."""
    return _grouped(breasts, ["patient_id"], {"prob": "max"}, "breasts")


def side(laterality: pd.Series) -> pd.Series:
    """Laterality with "?" where it is empty or missing."""
    return laterality.fillna("").astype(str).replace("", UNKNOWN_SIDE)


def _grouped(
    rows: pd.DataFrame, keys: list[str], scores: dict[str, str], count: str
) -> pd.DataFrame:
    kept = {name: how for name, how in _KEPT.items() if name in rows.columns}
    groups = rows.groupby(keys, sort=True)
    table = groups.agg({**scores, **kept})
    table.insert(0, count, groups.size())
    return table.reset_index()
