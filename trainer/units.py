"""What gets one score: an image, a breast (CC and MLO) or an exam (both views of both breasts).

A unit has one place for each view. Every image is in exactly one unit:

- A breast is a side of one study of one patient; a nameless patient is the study itself. Where
  every study of a patient holds one image, as in CBIS-DDSM, the studies say nothing and the patient
  is taken for one.
- CC-like views (`_CC`) and MLO-like ones (`_MLO`) have a place each; an image of another or an
  unknown view takes the first place of its breast that is left.
- Where a breast has a view more than once, the most usual images make the first unit: CC before
  XCCL, plain before spot. The next ones make another unit, with -1 for what is missing.
- An image of neither side, or of both, and that of a specimen are units of their own, in the place
  of the right breast.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.patient_groups import name_patients
from dali_pipelines.plan import EMPTY, Blocks
from trainer.exams import name_exams
from trainer.networks.settings import VIEWS, Unit

Positions = NDArray[np.int64]

# CID 4014 and ACR's texts, the most usual first. The beam runs from head to foot, or back (FB), in
# the first; across the breast, level or oblique, in the second
_CC: Final = ("CC", "XCCL", "XCCM", "XCC", "CV", "FB")
_MLO: Final = ("MLO", "ML", "LM", "LMO", "AT", "SIO", "ISO")
_PLACE: Final = {**dict.fromkeys(_CC, 0), **dict.fromkeys(_MLO, 1)}
_USUAL: Final = {view: rank for views in (_CC, _MLO) for rank, view in enumerate(views)}
_SIDE: Final = {"R": 0, "L": 1}
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a frame, in order of their first image there.

    `members` (U, V) are positions of images in the frame, -1 where a view is missing: V is 1 for
    images, 2 for breasts (CC, MLO), 4 for exams (R-CC, R-MLO, L-CC, L-MLO). `labels` (U,) are 1
    where an image has it, else -1 where one is unknown, else 0. `patients` (U,) are codes 0 ....
    """

    members: Positions
    labels: NDArray[np.int64]
    patients: NDArray[np.int64]

    def images(self, blocks: Blocks) -> Blocks:
        """Blocks (B, N) of units as blocks (B, N * V) of images; EMPTY for an absent one."""
        members = np.where((blocks == EMPTY)[..., None], EMPTY, self.members[blocks])
        return members.reshape(len(blocks), blocks.shape[1] * self.members.shape[1])

    def holding(self, images: Positions) -> Positions:
        """The units (u,), in order, that hold any of those images."""
        return np.flatnonzero(np.isin(self.members, images).any(axis=1))


def build_units(frame: pd.DataFrame, unit: Unit, labels: NDArray[np.int64] | None = None) -> Units:
    """The units of a manifest's images; `labels` (n,) are 1, 0 or -1, None if all are unknown."""
    views = VIEWS[unit]
    places, numbers = _images(frame) if views == 1 else _views(frame, unit)
    members = np.full((numbers.max(initial=-1) + 1, views), EMPTY, dtype=np.int64)
    members[numbers, places] = np.arange(len(frame))
    known = np.full(len(frame), _UNKNOWN) if labels is None else labels
    patients, _ = pd.factorize(name_patients(frame, "patient_id"), sort=True)
    some = members.max(axis=1)  # any image of the unit: all are of one patient
    return Units(members, _unit_labels(members, known), patients.astype(np.int64)[some])


def _images(frame: pd.DataFrame) -> tuple[Positions, Positions]:
    """Place in its unit, and number of the unit, of each image that is one by itself."""
    return np.zeros(len(frame), dtype=np.int64), np.arange(len(frame))


def _views(frame: pd.DataFrame, unit: Unit) -> tuple[Positions, Positions]:
    """Place in its unit, and number of the unit, of each image."""
    exams, sides = _exams(frame)
    view, turns = _turns(frame, exams * 2 + sides)
    owners = exams * 2 + sides if unit == "breast" else exams
    numbers, _ = pd.factorize(owners * len(frame) + turns)  # in order of appearance
    return (view if unit == "breast" else sides * 2 + view), numbers.astype(np.int64)


def _exams(frame: pd.DataFrame) -> tuple[Positions, Positions]:
    """The exam and the side, 0 right and 1 left, of each image; its own exam if it has no side."""
    keys = pd.DataFrame({"patient": name_patients(frame, "patient_id"), "exam": name_exams(frame)})
    exams = keys.groupby(["patient", "exam"]).ngroup()
    sides = frame["laterality"].map(_SIDE).fillna(_UNKNOWN).to_numpy(np.int64)
    alone = (sides == _UNKNOWN) | (frame["view"].fillna("") == "SPECIMEN").to_numpy(bool)
    own = len(frame) + np.arange(len(frame))  # beyond the numbers of all exams
    return np.where(alone, own, exams.to_numpy(np.int64)), np.where(alone, 0, sides)


def _turns(frame: pd.DataFrame, breasts: Positions) -> tuple[Positions, Positions]:
    """The view, 0 CC-like and 1 MLO-like, of each image, and how many of it came before.

    In a breast with a CC-like and b MLO-like images, those of unknown views first fill up the
    view that is fewer, then take both in turn.
    """
    views = frame["view"].map(_PLACE).fillna(_UNKNOWN).to_numpy(np.int64)
    order = pd.DataFrame(
        {
            "usual": frame["view"].map(_USUAL).fillna(0).to_numpy(),
            "modifiers": frame["view_modifiers"].map(len).to_numpy(),
            "uid": frame["sop_instance_uid"].to_numpy(),
            "frame": frame["frame"].fillna(0).to_numpy(np.int64),
        }
    ).sort_values(["usual", "modifiers", "uid", "frame"], kind="stable")
    groups = pd.Series(breasts * 3 + views)
    turns = groups[order.index].groupby(groups).cumcount().sort_index().to_numpy(np.int64)
    codes, names = pd.factorize(breasts)
    known = np.zeros((len(names), 2), dtype=np.int64)
    np.add.at(known, (codes[views != _UNKNOWN], views[views != _UNKNOWN]), 1)
    few, many, fewer = known.min(axis=1)[codes], known.max(axis=1)[codes], known.argmin(axis=1)
    beyond = turns - (many - few)
    free = np.where(beyond < 0, fewer[codes], beyond % 2)
    later = np.where(beyond < 0, few + turns, many + beyond // 2)
    unknown = views == _UNKNOWN
    return np.where(unknown, free, views), np.where(unknown, later, turns)


def _unit_labels(members: Positions, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    shown = np.where(members == EMPTY, 0, labels[members])
    unknown = np.where((shown == _UNKNOWN).any(axis=1), _UNKNOWN, 0)
    return np.where((shown == 1).any(axis=1), 1, unknown).astype(np.int64)
