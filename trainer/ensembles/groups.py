"""Groups of patients to judge a choice by: each is judged by what was chosen without it."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def outer_groups(
    patients: NDArray[np.str_], labels: Ints, folds: Ints, groups: int, seed: int
) -> Ints:
    """The group (m,), 0 ... groups - 1, of each row, the same for all rows of a patient.

    Patients are dealt at random within each fold and class (1 where a row of hers is), so that
    every group has about the same share of all folds and classes.
    """
    names, firsts, codes = np.unique(patients, return_index=True, return_inverse=True)
    positive = np.zeros(len(names), np.int64)
    np.maximum.at(positive, codes, labels)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    strata = np.lexsort((shuffled, folds[firsts], positive))
    dealt = np.empty(len(names), np.int64)
    dealt[strata] = np.arange(len(names)) % groups
    return dealt[codes]


def most_groups(patients: NDArray[np.str_], labels: Ints) -> int:
    """With how many groups at most each class has a patient in every one of them."""
    positive = len(np.unique(patients[labels == 1]))
    return min(positive, len(np.unique(patients)) - positive)
