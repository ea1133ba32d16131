"""Groups of patients to judge a choice by: each is judged by what was chosen without it."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def outer_groups(
    patients: NDArray[np.str_], labels: Ints, folds: Ints, groups: int, seed: int
) -> Ints:
    """The group (m,), 0 ... groups - 1, of each row, the same for all rows of a patient.

    Patients are dealt at random within each fold and class (rows of 0, of both, of 1), so that
    every group has about the same share of all folds and classes. With no more than `most_groups`
    the rows outside of any group have both classes.
    """
    names, firsts, codes = np.unique(patients, return_index=True, return_inverse=True)
    kinds = np.sign(_counts(codes, labels)) - np.sign(_counts(codes, 1 - labels))
    shuffled = np.random.default_rng(seed).permutation(len(names))
    strata = np.lexsort((shuffled, folds[firsts], kinds))  # those with rows of a class are in a row
    dealt = np.empty(len(names), np.int64)
    dealt[strata] = np.arange(len(names)) % groups
    return dealt[codes]


def most_groups(patients: NDArray[np.str_], labels: Ints) -> int:
    """How many patients have a row of the class that fewer of them have."""
    return min(len(np.unique(patients[labels == label])) for label in (0, 1))


def _counts(codes: NDArray[np.intp], marks: Ints) -> Ints:
    """How many rows of each patient are marked."""
    return np.bincount(codes, weights=marks).astype(np.int64)
