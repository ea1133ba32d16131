"""Labeled manifest -> folds by patient, and the receipt that nothing leaks from one to another.

Whole groups of `patient_groups` go into a fold, so that neither a patient (by the header or by
the label table) nor a study nor a codestream is ever in two.
"""

import warnings
from collections.abc import Hashable
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.kept_folds import FOLD, keep_folds
from dali_pipelines.patient_groups import (
    LABEL_PATIENT,
    LINKS,
    UID_COLUMNS,
    describe_groups,
    find_links,
    join_patients,
    name_patients,
)
from dali_pipelines.settings import closest

_UNLABELED: Final = 2  # the class of an image without a label, beside 0 and 1
_CLASSES: Final = 3


@dataclass(frozen=True, slots=True)
class FoldCount:
    """One row of the receipt; `prevalence` is positives / labeled images, None without labels."""

    fold: int
    patients: int
    images: int
    positives: int
    prevalence: float | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What each fold holds, and how many patients, studies and codestreams are in two of them.

    `codestreams` is None where the scan did not hash, `label_patients` (patients as the label
    table names them) where it names none. `notes` are sentences without any id.
    """

    folds: tuple[FoldCount, ...]
    patients: int
    studies: int
    codestreams: int | None
    label_patients: int | None = None
    notes: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True where nothing is in two folds."""
        return not (self.patients or self.studies or self.codestreams or self.label_patients)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**asdict(self), "clean": self.clean}

    def text(self) -> str:
        """The receipt as a table for a terminal."""
        lines = ["fold  patients    images  positives  prevalence"]
        for row in self.folds:
            share = "-" if row.prevalence is None else f"{100 * row.prevalence:.2f} %"
            lines.append(
                f"{row.fold:4}{row.patients:10,}{row.images:10,}{row.positives:11,}{share:>12}"
            )
        same = "not hashed" if self.codestreams is None else f"{self.codestreams:,}"
        named = "not named" if self.label_patients is None else f"{self.label_patients:,}"
        lines.append(
            f"in two folds: patients {self.patients:,}, studies {self.studies:,}, "
            f"identical codestreams {same}, patients of the label table {named}: "
            f"{'clean' if self.clean else 'LEAKAGE'}"
        )
        return "\n".join([*lines, *self.notes])


def assign_folds(
    frame: pd.DataFrame,
    folds: int,
    seed: int,
    label: str = "cancer",
    group: str = "patient_id",
) -> pd.DataFrame:
    """The frame with a column `fold`, 0 ... folds - 1: whole patients, positives spread evenly.

    The same images, labels and seed give the same folds in whatever order the rows are. Images
    without a label are spread as a class of their own. Raises DatasetError where the labels or
    the patients do not suffice.
    """
    if folds < 2:
        raise ConfigError(f"{folds} folds are asked for; wanted are 2 or more")
    groups, strata = _groups_and_strata(frame, label, group)
    count = len(np.unique(groups))
    if count < folds:
        raise DatasetError(
            f"{count} patients cannot fill {folds} folds; ask for fewer folds or add patients "
            "(patients who share a study, an identical codestream or the label table's patient "
            "count as one)"
        )
    fold = _stratify(strata, groups, folds, seed)
    return frame.assign(**{FOLD: pd.array(fold, dtype="Int16")})


def complete_folds(
    frame: pd.DataFrame,
    folds: int | None,
    seed: int,
    label: str = "cancer",
    group: str = "patient_id",
) -> pd.DataFrame:
    """The frame with the folds that it has, and one for each patient who has none.

    Errors as of `assign_folds` and `keep_folds`; `folds` None is as many as there are.
    """
    groups, strata = _groups_and_strata(frame, label, group)
    fold = keep_folds(frame, groups, strata, folds, seed)
    return frame.assign(**{FOLD: pd.array(fold, dtype="Int16")})


def leakage_receipt(
    frame: pd.DataFrame, group: str = "patient_id", label: str = "cancer"
) -> Receipt:
    """What the column `fold` of the frame did, counted from the table alone.

    Rows without a fold are left out.
    """
    placed = _placed(frame, group)
    hashed, named = (_says(placed, column) for column in ("sha256", LABEL_PATIENT))
    return Receipt(
        folds=tuple(_count(k, part, group, label) for k, part in placed.groupby(FOLD)),
        patients=len(_in_two_folds(placed, group)),
        studies=len(_in_two_folds(placed, "study_instance_uid")),
        codestreams=len(_in_two_folds(placed, "sha256")) if hashed else None,
        label_patients=len(_in_two_folds(placed, LABEL_PATIENT)) if named else None,
        notes=tuple(describe_groups(placed, group)),
    )


def require_no_overlap(frame: pd.DataFrame, group: str = "patient_id") -> None:
    """Raise DatasetError if a patient, by either name, a study or a codestream is in two folds.

    The message names up to three of them, each by the image id of one image: a keyed hash, which
    the manifest resolves and nothing else does.
    """
    placed = _placed(frame, group)
    leaks = {column: _in_two_folds(placed, column) for column in (group, *find_links(placed))}
    column = next((column for column, values in leaks.items() if len(values)), None)
    if column is None:
        return
    leaking = placed[placed[column].isin(leaks[column])].sort_values("image_id")
    examples = ", ".join(leaking.drop_duplicates(column)["image_id"][:3])
    raise DatasetError(
        f"folds overlap: {len(leaks[group])} patients, {len(leaks['study_instance_uid'])} studies, "
        f"{len(leaks['sha256'])} identical codestreams and {len(leaks.get(LABEL_PATIENT, ()))} "
        f"patients of the label table are in two folds, among them those of the images {examples}; "
        "assign folds with `mammo split`"
    )


def _groups_and_strata(
    frame: pd.DataFrame, label: str, group: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The patient group and the stratum of each image, (n,) each."""
    _require_columns(frame, label, group, *UID_COLUMNS, *LINKS)
    groups = join_patients(name_patients(frame, group), frame)
    return groups, _strata(_classes(frame, label), groups)


def _classes(frame: pd.DataFrame, label: str) -> NDArray[np.int64]:
    """(n,) 0, 1 or _UNLABELED; DatasetError unless both 0 and 1 occur and nothing else does."""
    known = frame[label].dropna()
    if not known.isin([0, 1]).all():
        raise DatasetError(f"column {label!r} must hold 0, 1 or nothing; correct the labels")
    if known.nunique() < 2:
        found = f"only {int(known.iloc[0])}" if len(known) else "no label at all"
        raise DatasetError(f"column {label!r} holds {found}; folds need images of both 0 and 1")
    classes: NDArray[np.int64] = frame[label].fillna(_UNLABELED).to_numpy(dtype=np.int64)
    return classes


def _strata(classes: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) the class, apart for groups with and without a positive.

    This evens out positive images and positive patients at once: in four folds of 11,913
    simulated patients their counts differ by 0 and 2, with the class alone by 2 and 8.
    """
    positive = np.zeros(groups.max() + 1, dtype=np.int64)
    positive[groups[classes == 1]] = 1
    strata: NDArray[np.int64] = classes + _CLASSES * positive[groups]
    return strata


def _stratify(
    strata: NDArray[np.int64], groups: NDArray[np.int64], folds: int, seed: int
) -> NDArray[np.int16]:
    if np.bincount(strata).max() < folds:
        raise DatasetError(f"no class has an image for each of {folds} folds; ask for fewer folds")
    fold = np.empty(len(strata), dtype=np.int16)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # a class with fewer images than folds: the receipt shows which folds have none
        warnings.filterwarnings("ignore", message="The least populated class")
        for k, (_, held_out) in enumerate(splitter.split(strata, strata, groups)):
            if not len(held_out):
                raise DatasetError(f"fold {k} of {folds} got no patient; ask for fewer folds")
            fold[held_out] = k
    return fold


def _count(fold: Hashable, part: pd.DataFrame, group: str, label: str) -> FoldCount:
    labels = part[label].dropna() if label in part.columns else pd.Series(dtype="Int8")
    positives = int((labels == 1).sum())
    prevalence = positives / len(labels) if len(labels) else None
    patients = name_patients(part, group).nunique()
    return FoldCount(int(str(fold)), patients, len(part), positives, prevalence)


def _placed(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """The rows that have a fold."""
    _require_columns(frame, FOLD, group, *UID_COLUMNS, *LINKS)
    return frame[frame[FOLD].notna()]


def _says(placed: pd.DataFrame, column: str) -> bool:
    """Whether there is such a column, with a value in any row."""
    return column in placed.columns and bool((placed[column].fillna("") != "").any())


def _in_two_folds(placed: pd.DataFrame, column: str) -> "pd.Index[Any]":
    """The values of the column, but for "" and nothing, that occur in more than one fold."""
    known = placed[placed[column].notna() & (placed[column] != "")]
    folds = known.groupby(column)[FOLD].nunique()
    return folds.index[folds > 1]


def _require_columns(frame: pd.DataFrame, *names: str) -> None:
    cures = {
        FOLD: "; assign folds with `mammo split`",
        "cancer": "; scan with --adapter auto, or --labels TABLE",
    }
    for name in (name for name in names if name not in frame.columns):
        near = "." + closest(name, map(str, frame.columns))
        raise DatasetError(f"the manifest has no column {name!r}{cures.get(name, near)}")
