"""Units of one patient change places until as few of them meet as can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.plan import EMPTY, as_blocks
from trainer.patients_apart import keep_apart


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def counts(blocks: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """How often each patient is in each block, (B, P)."""
    rows = [
        np.bincount(patients[row[row != EMPTY]], minlength=patients.max() + 1) for row in blocks
    ]
    return np.stack(rows)


def test_two_of_a_patient_are_parted_by_one_change() -> None:
    patients = np.array([0, 0, 1, 2, 3, 4])
    before = np.array([[0, 1, 2], [3, 4, 5]])
    blocks = keep_apart(before, patients, np.zeros(6, np.int64), generator())
    assert (counts(blocks, patients) <= 1).all()
    assert sorted(blocks.ravel()) == [0, 1, 2, 3, 4, 5]
    assert (blocks != before).sum() == 2
    assert before.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_blocks_in_which_nobody_meets_are_left_as_they_are() -> None:
    given_blocks = np.array([[0, 2], [3, 1], [4, EMPTY]])
    patients = np.array([0, 0, 1, 1, 0])
    kept = keep_apart(given_blocks, patients, np.zeros(5, np.int64), generator())
    assert kept.tolist() == given_blocks.tolist()


def test_the_block_keeps_what_it_has_of_each_kind() -> None:
    patients = np.array([0, 0, 1, 1, 2, 3])
    kinds = np.array([1, 0, 1, 0, 0, 0])  # 0 and 1 meet, and so do 2 and 3
    blocks = keep_apart(np.array([[0, 1, 4], [2, 3, 5]]), patients, kinds, generator())
    assert (counts(blocks, patients) <= 1).all()
    assert (kinds[blocks].sum(axis=1) == 1).all()


def test_what_only_a_change_of_kinds_could_part_stays_together() -> None:
    given_blocks = np.array([[0, 1], [2, 3]])
    kinds = np.array([1, 0, 0, 0])
    patients = np.array([0, 0, 0, 0])
    assert keep_apart(given_blocks, patients, kinds, generator()).tolist() == [[0, 1], [2, 3]]


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=60), st.integers(1, 8), st.integers(0, 1000)
)
@settings(deadline=None)
def test_no_patient_is_twice_where_that_can_be(owners: list[int], batch: int, seed: int) -> None:
    patients = np.array(owners)
    rng = np.random.default_rng(seed)
    before = as_blocks(rng.permutation(len(patients)), batch)
    blocks = keep_apart(before, patients, np.zeros_like(patients), rng)
    assert sorted(blocks[blocks != EMPTY].tolist()) == list(range(len(patients)))
    assert ((blocks == EMPTY) == (before == EMPTY)).all()
    per_block = counts(blocks, patients)
    full = per_block[(blocks != EMPTY).all(axis=1)]
    if len(full):
        assert (np.ptp(full, axis=0) <= 1).all()
    roomy = np.bincount(patients) <= len(blocks) - 1  # room for each of them in a full block
    assert (per_block[:, roomy] <= 1).all()


@pytest.mark.parametrize("seed", range(3))
def test_a_patient_of_every_block_comes_once_in_each(seed: int) -> None:
    patients = np.repeat(np.arange(6), 20)  # 20 blocks of 6: one way only, a unit of each in each
    rng = np.random.default_rng(seed)
    blocks = as_blocks(rng.permutation(120), 6)
    apart = keep_apart(blocks, patients, np.zeros(120, np.int64), rng)
    assert (counts(apart, patients) == 1).all()
