"""What an epoch shows: each unit the right number of times, on any number of ranks."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.errors import DatasetError
from dali_pipelines.plan import EMPTY, rank_blocks, shuffled_blocks
from trainer.sampler import epoch_blocks, epoch_length
from trainer.sampling_settings import DataSettings

# 20 patients of four units; patients 0, 4, 8, ... have cancer in two of theirs; patient 19 unknown
PATIENTS = np.repeat(np.arange(20), 4)
LABELS = np.where((PATIENTS % 4 == 0) & (np.arange(80) % 4 < 2), 1, np.where(PATIENTS == 19, -1, 0))
POSITIVES, NEGATIVES = np.flatnonzero(LABELS == 1), np.flatnonzero(LABELS == 0)


def blocks_of(epoch: int = 0, seed: int = 0, **values: Any) -> np.ndarray:
    return epoch_blocks(LABELS, PATIENTS, DataSettings(**values), seed, epoch)


def shown(blocks: np.ndarray) -> list[int]:
    return sorted(int(index) for index in blocks.ravel() if index != EMPTY)


def share_of(blocks: np.ndarray) -> float:
    return float(np.isin(shown(blocks), POSITIVES).mean())


def test_there_are_10_positives_66_negatives_and_4_unknown() -> None:
    assert (len(POSITIVES), len(NEGATIVES)) == (10, 66)


def test_a_natural_epoch_shows_each_labeled_unit_once() -> None:
    assert shown(blocks_of(positive_share=None)) == sorted([*POSITIVES, *NEGATIVES])


def test_where_all_are_labeled_the_plain_blocks_of_the_plan_come_out() -> None:
    labels = np.maximum(LABELS, 0)
    natural = epoch_blocks(labels, PATIENTS, DataSettings(positive_share=None), 3, 2)
    assert natural.tolist() == shuffled_blocks(None, 80, 8, seed=3, epoch=2).tolist()
    ratio = epoch_blocks(labels, PATIENTS, DataSettings(positive_share=0.25), 3, 2)
    assert ratio.tolist() == shuffled_blocks(labels, 80, 8, 3, 2, 0.25).tolist()


def test_one_positive_among_eight_with_every_negative_once_as_rsna_1st_trained() -> None:
    blocks = blocks_of(positive_share=0.125)
    assert blocks.shape == (10, 8)  # 66 negatives, 7 a block
    assert (np.isin(blocks, POSITIVES).sum(axis=1) == 1).all()
    assert shown(np.where(np.isin(blocks, POSITIVES), EMPTY, blocks)) == NEGATIVES.tolist()
    assert shown(np.where(np.isin(blocks, NEGATIVES), EMPTY, blocks)) == POSITIVES.tolist()


def test_repeated_positives_are_that_share_of_the_epoch_and_none_much_oftener() -> None:
    blocks = blocks_of(positive_share=0.4, balance="repeat")
    times = np.bincount(shown(blocks), minlength=80)
    assert times[POSITIVES].sum() == 44  # 44 / (44 + 66) = 0.4
    assert np.ptp(times[POSITIVES]) <= 1
    assert (times[NEGATIVES] == 1).all()


def test_repeating_leaves_out_no_positive_where_they_are_more_than_the_share() -> None:
    times = np.bincount(shown(blocks_of(positive_share=0.01, balance="repeat")), minlength=80)
    assert (times[[*POSITIVES, *NEGATIVES]] == 1).all()


def test_drawing_takes_as_many_units_as_there_are_with_either_class_by_its_share() -> None:
    epochs = [blocks_of(epoch, 1, positive_share=1 / 6, balance="draw") for epoch in range(200)]
    drawn = np.bincount([unit for blocks in epochs for unit in shown(blocks)], minlength=80)
    assert drawn.sum() == 200 * 76
    assert drawn[LABELS == -1].sum() == 0
    # 15,200 draws: within 4 standard deviations, 0.003 of the share, 16 and 14 times of a unit
    assert drawn[POSITIVES].sum() / drawn.sum() == pytest.approx(1 / 6, abs=0.012)
    assert drawn[POSITIVES] == pytest.approx(15200 / 60, abs=64)
    assert drawn[NEGATIVES] == pytest.approx(15200 * 5 / 6 / 66, abs=56)
    assert max(np.bincount(shown(epochs[0]))) > 1  # with replacement


def test_a_third_of_the_negatives_is_drawn_anew_for_each_epoch() -> None:
    epochs = [blocks_of(epoch, positive_share=None, keep_negatives=0.34) for epoch in range(60)]
    for blocks in epochs:
        times = np.bincount(shown(blocks), minlength=80)
        assert times.max() == 1
        assert (times[POSITIVES] == 1).all()
        assert times[NEGATIVES].sum() == 22  # 0.34 of 66 is 22.44
    assert shown(epochs[0]) != shown(epochs[1])
    seen = {unit for blocks in epochs for unit in shown(blocks)}
    assert seen == {*POSITIVES.tolist(), *NEGATIVES.tolist()}


def test_one_negative_stays_however_small_the_share() -> None:
    blocks = blocks_of(keep_negatives=0.0001)
    assert np.isin(shown(blocks), NEGATIVES).sum() == 1


def test_shares_change_when_their_epoch_begins() -> None:
    values: dict[str, Any] = {
        "positive_share": ((0, 0.5), (2, 0.25)),
        "keep_negatives": ((0, 0.5), (3, 1.0)),
    }
    epochs = [blocks_of(epoch, **values) for epoch in range(5)]
    per_block = [np.isin(blocks, POSITIVES).sum(axis=1).tolist() for blocks in epochs]
    assert [set(counts) for counts in per_block] == [{4}, {4}, {2}, {2}, {2}]
    negatives = [len(np.intersect1d(shown(blocks), NEGATIVES)) for blocks in epochs]
    assert negatives == [33, 33, 33, 66, 66]


@pytest.mark.parametrize("balance", ["block", "repeat"])
def test_one_unit_of_each_patient_and_class_is_drawn_anew(balance: str) -> None:
    values: dict[str, Any] = {
        "patients": "one",
        "balance": balance,
        "positive_share": 0.25,
        "batch": 4,
    }
    epochs = [blocks_of(epoch, **values) for epoch in range(60)]
    for blocks in epochs:
        units = np.unique(shown(blocks))
        negatives = np.intersect1d(units, NEGATIVES)
        assert PATIENTS[negatives].tolist() == list(range(19))  # each has one, also those with it
        positives = np.intersect1d(units, POSITIVES)
        assert len(np.unique(PATIENTS[positives])) == len(positives) == 5
    assert len({unit for blocks in epochs for unit in shown(blocks)}) == 76


@pytest.mark.parametrize("balance", ["block", "repeat"])
def test_units_of_one_patient_are_not_in_one_batch_where_that_can_be(balance: str) -> None:
    plain, apart = (blocks_of(patients=way, balance=balance) for way in ("any", "apart"))
    assert shown(apart) == shown(plain)
    crowded = [
        any(len(np.unique(PATIENTS[row])) < len(row) for row in blocks if EMPTY not in row)
        for blocks in (plain, apart)
    ]
    assert crowded == [True, False]


def test_apart_keeps_the_ratio_of_every_block() -> None:
    blocks = blocks_of(patients="apart", positive_share=0.25)
    assert (np.isin(blocks, POSITIVES).sum(axis=1) == 2).all()


@pytest.mark.parametrize("only", [0, 1, -1])
def test_a_share_needs_units_of_both_classes(only: int) -> None:
    labels = np.full(6, only)
    with pytest.raises(DatasetError, match=r"both classes.*positive_share to null"):
        epoch_blocks(labels, np.arange(6), DataSettings(), 0, 0)
    with pytest.raises(DatasetError, match="both classes"):
        epoch_length(labels, np.arange(6), DataSettings(), 0)
    natural = epoch_blocks(labels, np.arange(6), DataSettings(positive_share=None), 0, 0)
    assert len(shown(natural)) == (0 if only == -1 else 6)


@st.composite
def plans(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, DataSettings, int, int]:
    """Labels and patients of some units, any way to show them, a seed and an epoch."""
    units = draw(st.integers(2, 40))
    labels = [0, 1, *draw(st.lists(st.sampled_from((-1, 0, 0, 1)), min_size=units, max_size=units))]
    patients = draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels)))
    shares = st.one_of(st.floats(0.05, 0.95), st.just(((0, 0.5), (2, 0.125))))
    values = DataSettings(
        batch=draw(st.integers(2, 9)),
        positive_share=draw(st.one_of(st.none(), shares)),
        balance=draw(st.sampled_from(("block", "repeat", "draw"))),
        keep_negatives=draw(st.one_of(st.just(1.0), shares)),
        patients=draw(st.sampled_from(("any", "apart", "one"))),
    )
    seeds = draw(st.integers(0, 2**31)), draw(st.integers(0, 4))
    return np.array(labels), np.array(patients), values, *seeds


@given(plans(), st.integers(1, 7))
@settings(deadline=None)
def test_an_epoch_is_the_same_again_of_the_stated_length_and_even_on_all_ranks(
    plan: tuple[np.ndarray, np.ndarray, DataSettings, int, int], world: int
) -> None:
    labels, patients, values, _, epoch = plan
    blocks = epoch_blocks(*plan)
    assert blocks.tolist() == epoch_blocks(*plan).tolist()
    assert blocks.dtype == np.int64
    assert blocks.shape == (epoch_length(labels, patients, values, epoch), values.batch)
    assert (labels[shown(blocks)] >= 0).all()
    assert (blocks[:-1] != EMPTY).all()  # only the last may be short
    ranks = [rank_blocks(blocks, rank, world) for rank in range(world)]
    assert {len(rank) for rank in ranks} == {-(-len(blocks) // world)}
    assert shown(np.concatenate(ranks)) == shown(blocks)


@given(plans())
@settings(deadline=None)
def test_each_way_shows_what_it_says(
    plan: tuple[np.ndarray, np.ndarray, DataSettings, int, int],
) -> None:
    labels, patients, values, _, _ = plan
    times = np.bincount(shown(epoch_blocks(*plan)), minlength=len(labels))
    if values.positive_share is None or values.balance != "draw":
        assert times[labels == 0].max() == 1  # each negative at most once
        if values.keep_negatives == 1.0 and values.patients != "one":
            assert times[labels == 0].min() == 1
    if values.positive_share is None or values.balance == "repeat":
        owners = patients[(labels == 1) & (times > 0)]
        assert set(owners) == set(patients[labels == 1])  # no patient with cancer is left out
    if values.positive_share is None:
        assert times.max() == 1


@given(plans(), st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), max_size=6))
@settings(deadline=None)
def test_a_run_that_stops_and_goes_on_with_other_ranks_shows_exactly_what_is_left(
    plan: tuple[np.ndarray, np.ndarray, DataSettings, int, int], legs: list[tuple[int, int]]
) -> None:
    blocks = epoch_blocks(*plan)
    done: list[int] = []
    consumed = 0
    for world, steps in [*legs, (3, len(blocks))]:
        for rank in range(world):
            done += shown(rank_blocks(blocks, rank, world, consumed)[:steps])
        consumed = min(consumed + world * steps, len(blocks))
    assert consumed == len(blocks)
    assert sorted(done) == shown(blocks)
