"""The out-of-fold scores of all candidates, side by side on the same images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import DatasetError
from trainer.ensembles.candidates import Candidate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# recipes may lose other images; as many as a run may lose unless told otherwise (--max-rejects)
MOST_LOST: Final = 0.05
_SAME: Final = ("patient_id", "exam_id", "laterality", "cancer")
_OWN: Final = ("prob", "logit", "recipe_hash")


@dataclass(frozen=True, slots=True)
class Pool:
    """`images` (n rows) have ids, labels and folds; `logits` (n, K) are NaN but for held-out folds.

    `folds` (K,) are those that the candidates held out; `lost` images are left out because a
    candidate that held out their fold has no score for them.
    """

    images: pd.DataFrame
    logits: Floats
    folds: Ints
    lost: int


def build_pool(candidates: Sequence[Candidate]) -> Pool:
    """The images that all candidates of their fold have scored, by fold and then image_id.

    Raises DatasetError where the candidates do not share the folds of the same images, or do not
    score the same units.
    """
    _require_one_kind(candidates)
    folds = sorted({candidate.fold for candidate in candidates})
    shared = [_shared([c.scores for c in candidates if c.fold == fold], fold) for fold in folds]
    images = pd.concat(shared, ignore_index=True)
    _require_apart(images)
    logits = np.full((len(images), len(candidates)), np.nan)
    for column, candidate in enumerate(candidates):
        rows = np.flatnonzero(images["fold"] == candidate.fold)
        scores = candidate.scores.set_index("image_id")["logit"]
        logits[rows, column] = scores.loc[images["image_id"].iloc[rows]]
    known = {name for candidate in candidates for name in candidate.scores["image_id"]}
    return Pool(images, logits, np.array([c.fold for c in candidates]), len(known) - len(images))


def _require_one_kind(candidates: Sequence[Candidate]) -> None:
    kinds = {"unit_id" in candidate.scores.columns for candidate in candidates}
    if len(kinds) > 1:
        raise DatasetError(
            "some of the runs score images and others breasts or exams; choose among each kind by "
            "itself"
        )


def _shared(tables: Sequence[pd.DataFrame], fold: int) -> pd.DataFrame:
    """The rows of the images that are in all tables of a fold, without what is a candidate's own.

    Raises DatasetError where too many are not, or the tables say different things about one.
    """
    first = tables[0].drop(columns=[name for name in _OWN if name in tables[0].columns])
    rows = first.set_index("image_id").sort_index()
    for table in tables[1:]:
        other = table.set_index("image_id")
        rows = rows[rows.index.isin(other.index)]
        same = other.loc[rows.index]
        _require_same(rows, same, fold)
    most = max(len(table) for table in tables)
    if len(rows) < (1 - MOST_LOST) * most:
        raise DatasetError(
            f"only {len(rows):,} of up to {most:,} images of fold {fold} are in all runs that held "
            "it out; choose among runs with the same folds of the same images"
        )
    return rows.reset_index()


def _require_same(rows: pd.DataFrame, other: pd.DataFrame, fold: int) -> None:
    """Raise DatasetError where two tables say different things of the same images."""
    for name in _SAME:
        if name in rows.columns and not _names(rows, name).equals(_names(other, name)):
            raise DatasetError(
                f"the runs differ in {name} of images of fold {fold}; choose among runs on the "
                "same manifest"
            )
    if "unit_id" in rows.columns and not _groups(rows).equals(_groups(other)):
        raise DatasetError(
            "some of the runs score breasts and others exams; choose among each kind by itself"
        )


def _names(rows: pd.DataFrame, name: str) -> "pd.Series[str]":
    column = rows[name] if name in rows.columns else pd.Series("", index=rows.index)
    return column.astype("string").rename(None)


def _groups(rows: pd.DataFrame) -> "pd.Series[int]":
    """The unit of each image as a number; which image names a unit depends on what was rejected."""
    return pd.Series(pd.factorize(rows["unit_id"])[0])


def _require_apart(images: pd.DataFrame) -> None:
    """Raise DatasetError where an image or a patient was held out in two folds."""
    for name, what in (("image_id", "images"), ("patient_id", "patients")):
        places = images[[name, "fold"]].drop_duplicates()
        several = places.loc[places[name].duplicated(), name].nunique()
        if several:
            raise DatasetError(
                f"{several:,} {what} are in two folds: the runs were not split alike; choose among "
                "runs on the same manifest"
            )
