"""Scores of images to those of breasts, exams and patients.

A breast is a side of one exam. The rule for views makes its score from its images, that for breasts
an exam's from its breasts, that for exams a patient's from her exams. An image of unknown
laterality counts to a breast of its own, "?", so that it can raise its exam's score but neither
side's. A missing view or breast is simply absent; `trainer.aggregation.views` states what becomes
of views that are there twice or unusual.

Where a network scored breasts or exams (column unit_id) the images of a unit share one score, which
counts once: in each breast that the unit shows, and once in their exam.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import DatasetError
from trainer.aggregation.policy import Aggregation
from trainer.aggregation.rules import combine
from trainer.aggregation.views import counted, find_repeats

Level = Literal["image", "breast", "exam", "patient"]
LEVELS: Final[tuple[Level, ...]] = ("image", "breast", "exam", "patient")
UNKNOWN_SIDE: Final = "?"

_OWN_KEYS: Final[dict[Level, str]] = {  # what names one among those of the level before it
    "patient": "patient_id",
    "exam": "exam_id",
    "breast": "laterality",
}
_KEYS: Final[dict[Level, list[str]]] = {
    "patient": ["patient_id"],
    "exam": ["patient_id", "exam_id"],
    "breast": ["patient_id", "exam_id", "laterality"],
}
_PARTS: Final[dict[Level, dict[str, Level]]] = {  # what a level counts besides its images
    "breast": {},
    "exam": {"breasts": "breast"},
    "patient": {"breasts": "breast", "exams": "exam"},
}
_FIRST: Final = ("fold", "recipe_hash")  # of these a group has that of its first image
_USUAL: Final = Aggregation()

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def aggregate(
    scores: pd.DataFrame, level: Level, how: Aggregation = _USUAL, carry: Sequence[str] = ()
) -> pd.DataFrame:
    """The scores of one level, from a row per image with patient_id, laterality and prob.

    Rows are sorted by their keys: patient_id, exam_id and laterality, as far as the level has them.
    `images`, `breasts` and `exams` count what took part. `cancer` is 1 where any image has it; of
    fold, recipe_hash and the columns of `carry` it is the first known value. All where the input
    has them; without exam_id a patient has one exam, named as she is. Images without a score (NaN)
    do not count. For "image" it is the input itself. Raises DatasetError where a column or a
    patient is missing.
    """
    if level == "image":
        return scores
    images = _prepared(scores)
    codes = _codes(images)
    counts = counted(images, codes["breast"], how)
    members = codes[level]
    firsts = np.unique(members, return_index=True)[1]
    table = images[_KEYS[level]].iloc[firsts].reset_index(drop=True)
    table["images"] = np.bincount(members[counts], minlength=len(table))
    for name, part in _PARTS[level].items():
        begins = np.unique(codes[part], return_index=True)[1]
        table[name] = np.bincount(members[begins], minlength=len(table))
    table["prob"] = _joint_scores(
        images[counts], {k: c[counts] for k, c in codes.items()}, level, how
    )
    if "cancer" in images.columns:
        table["cancer"] = images["cancer"].groupby(members).max().array
    for name in dict.fromkeys((*_FIRST, *carry)):
        if name in images.columns and name not in table.columns:
            known = images[name].mask(images[name].astype(object).eq(""))
            table[name] = known.groupby(members).first().array
    return table


def side(laterality: "pd.Series[str]") -> "pd.Series[str]":
    """Laterality with "?" where it is empty or missing."""
    return laterality.fillna("").astype(str).replace("", UNKNOWN_SIDE)


def _prepared(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows with a score, with the keys of all levels."""
    missing = sorted({"patient_id", "laterality", "prob"} - set(scores.columns))
    if missing:
        raise DatasetError(
            f"the predictions lack the columns {', '.join(missing)}, which breasts, exams and "
            "patients are made of; predict again"
        )
    nameless = int(scores["patient_id"].isna().sum())
    if nameless:
        raise DatasetError(f"{nameless:,} rows of the predictions have no patient_id; fill in")
    exams = scores["exam_id" if "exam_id" in scores.columns else "patient_id"]
    images = scores.assign(laterality=side(scores["laterality"]), exam_id=exams.fillna(""))
    return images[images["prob"].notna()].reset_index(drop=True)


def _codes(images: pd.DataFrame) -> dict[Level, Ints]:
    """The patient, exam and breast (n,) of each image, each numbered 0 ... in order of its keys."""
    codes: dict[Level, Ints] = {}
    owner = np.zeros(len(images), dtype=np.int64)
    for level, key in _OWN_KEYS.items():
        own, names = pd.factorize(images[key], sort=True)
        owner = np.unique(owner * len(names) + own, return_inverse=True)[1].astype(np.int64)
        codes[level] = owner
    return codes


@dataclass(frozen=True, slots=True)
class _Scores:
    """Scores `prob` (n,) and the codes (n,) of what they belong to."""

    prob: Floats
    breasts: Ints
    exams: Ints
    patients: Ints

    def at(self, places: Ints) -> "_Scores":
        """Those at the places."""
        owners = (self.breasts, self.exams, self.patients)
        return _Scores(self.prob[places], *(codes[places] for codes in owners))

    def join(self, groups: Ints, rule: str) -> "_Scores":
        """One score a group, in order of their codes, which belongs where its first member does."""
        _, firsts, members = np.unique(groups, return_index=True, return_inverse=True)
        return replace(self.at(firsts), prob=combine(self.prob, members, rule))


def _joint_scores(
    images: pd.DataFrame, codes: dict[Level, Ints], level: Level, how: Aggregation
) -> Floats:
    """The score (G,) of each group of a level, in order of their keys."""
    breasts = codes["breast"]
    probs = images["prob"].to_numpy(np.float64)
    scores = _Scores(probs, breasts, codes["exam"], codes["patient"])
    if "unit_id" in images.columns:
        scores = _one_a_unit(scores, pd.factorize(images["unit_id"])[0], level)
    elif how.repeated == "mean":
        scores = scores.join(find_repeats(images, breasts), "mean")
    scores = scores.join(scores.breasts, how.views)
    if level != "breast":
        scores = scores.join(scores.exams, how.breasts)
    if level == "patient":
        scores = scores.join(scores.patients, how.exams)
    return scores.prob


def _one_a_unit(scores: _Scores, units: Ints, level: Level) -> _Scores:
    """One score a unit and breast; above breasts one a unit, if it shows several."""
    breasts = scores.breasts
    if level != "breast":
        shown = pd.DataFrame({"unit": units, "breast": breasts}).groupby("unit")["breast"]
        several = shown.transform("nunique").to_numpy() > 1
        beyond = len(breasts) + units  # the code of no breast
        breasts = np.where(several, beyond, breasts)
    firsts = np.unique(np.stack([breasts, units]), axis=1, return_index=True)[1]
    return replace(scores, breasts=breasts).at(firsts)
