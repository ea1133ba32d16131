"""Folds that a manifest has already -> folds of images that came later, of which none moves.

A checkpoint knows its held-out fold by number. Where images are added, that fold stays unseen only
if every patient group (`patient_groups`) stays where it was.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.patient_groups import join_patients, name_patients

FOLD: Final = "fold"
_NONE: Final = -1  # in the place of a fold: the group has none yet
_TWO: Final = -2  # the group is in two


def inherit_folds(frame: pd.DataFrame, group: str = "patient_id") -> pd.DataFrame:
    """The frame, where each image without a fold has that of its patient group.

    Without, it stays where the group has none, or is in two, as a split by another column may do.
    """
    if FOLD not in frame.columns or frame[FOLD].notna().all():
        return frame
    groups = join_patients(name_patients(frame, group), frame)
    known = pd.Series(_group_folds(frame, groups)[groups], frame.index, dtype="Int16")
    return frame.assign(**{FOLD: frame[FOLD].fillna(known.where(known >= 0))})


def keep_folds(
    frame: pd.DataFrame,
    groups: NDArray[np.int64],
    strata: NDArray[np.int64],
    folds: int | None,
    seed: int,
) -> NDArray[np.int16]:
    """(n,) the fold of each image: that of its group where it has one, else a new one.

    `groups` and `strata` are (n,), from 0. New groups, the hardest to place first, go to the fold
    where the shares of the strata stay most even. DatasetError where there are no folds to keep, or
    a group is in two; ConfigError where they are not as many as `folds`.
    """
    if FOLD not in frame.columns or frame[FOLD].isna().all():
        raise DatasetError("the manifest has no folds to keep; run without --keep")
    found = int(frame[FOLD].max()) + 1
    if folds not in (None, found):
        raise ConfigError(
            f"the manifest has {found} folds, not {folds}; --keep cannot change their number"
        )
    known = _group_folds(frame, groups)
    if clashes := np.flatnonzero(known == _TWO).tolist():
        raise DatasetError(
            f"{len(clashes):,} patient groups are in two folds, among them that of image "
            f"{frame['image_id'].to_numpy()[groups == clashes[0]].min()}, so their folds cannot "
            "be kept; run without --keep"
        )
    sizes = np.zeros((len(known), int(strata.max()) + 1))
    np.add.at(sizes, (groups, strata), 1)
    return _place(known, sizes, found, seed)[groups].astype(np.int16)


def count_moved(before: pd.DataFrame, after: pd.DataFrame, group: str) -> tuple[int, int]:
    """How many patients with a fold have another one now, and how many had one.

    The two frames have the same rows in the same order.
    """
    if FOLD not in before.columns:
        return 0, 0
    placed = before[FOLD].notna()
    names = name_patients(before, group)
    moved = placed & (before[FOLD] != after[FOLD]).fillna(value=False)
    return names[moved].nunique(), names[placed].nunique()


def _group_folds(frame: pd.DataFrame, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """(groups,) the fold of each group, or _NONE, or _TWO."""
    by_group = frame[FOLD].astype("Int64").groupby(groups)
    lowest, highest = by_group.min(), by_group.max()
    known = lowest.where(lowest == highest, _TWO).where(lowest.notna(), _NONE)
    return np.asarray(known, np.int64)


def _place(
    known: NDArray[np.int64], sizes: NDArray[np.float64], folds: int, seed: int
) -> NDArray[np.int64]:
    """(groups,) a fold for each; `sizes` (groups, strata) are the numbers of images."""
    placed = known.copy()
    held = np.zeros((folds, sizes.shape[1]))
    shares = sizes / np.maximum(sizes.sum(axis=0), 1)
    np.add.at(held, known[known >= 0], shares[known >= 0])
    new = np.random.default_rng(seed).permutation(np.flatnonzero(known == _NONE))
    for k in new[np.argsort(-(shares[new] ** 2).sum(axis=1), kind="stable")]:
        # the sum of squared shares grows least where the group's strata are rarest
        growth = (held * shares[k]).sum(axis=1)
        placed[k] = min(range(folds), key=lambda fold: (growth[fold], held[fold].sum()))
        held[placed[k]] += shares[k]
    return placed
