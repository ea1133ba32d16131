"""Which images change, and by what numbers: pure functions of the place in the run."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dali_pipelines.settings import build
from trainer.augment.draws import MIXUP, change_stream, choose, uniforms
from trainer.augment.settings import CHANGES, AugmentSettings

MANY = np.arange(4000)


def settings(**values: object) -> AugmentSettings:
    return build(AugmentSettings, [("test", values)])[0]


def test_numbers_are_those_of_philox_at_the_place() -> None:
    drawn = uniforms(7, 3, np.array([11, 5]), 4, 9)
    for row, position in zip(drawn, (11, 5), strict=True):
        philox = np.random.Philox(counter=[0, 0, 4, position], key=[7, 3])
        assert row.tolist() == np.random.Generator(philox).random(9).tolist()


@given(st.integers(0, 2**70), st.integers(0, 10**6), st.integers(0, 2**62), st.integers(2, 40))
def test_a_row_does_not_depend_on_its_neighbors_or_on_how_many_are_drawn(
    seed: int, epoch: int, position: int, count: int
) -> None:
    alone = uniforms(seed, epoch, np.array([position]), 1, count)
    among = uniforms(seed, epoch, np.array([0, position, 1]), 1, count)[1]
    assert alone[0].tolist() == among.tolist()
    assert uniforms(seed, epoch, np.array([position]), 1, 1)[0, 0] == alone[0, 0]


def test_seed_epoch_position_and_stream_each_give_other_numbers() -> None:
    places = [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]
    first = [uniforms(s, e, np.array([p]), stream, 1)[0, 0] for s, e, p, stream in places]
    assert len(set(first)) == len(places)
    assert len({MIXUP, 0, *map(change_stream, CHANGES)}) == len(CHANGES) + 2


def test_changes_come_as_often_as_they_are_asked_for_and_independently() -> None:
    chosen = choose(settings(hflip=0.5, affine={"p": 0.25}), 0, 0, MANY)
    assert set(chosen) == {"hflip", "affine"}
    both = np.intersect1d(chosen["hflip"], chosen["affine"])
    # four standard deviations of a share of 4000 are 0.032 at most
    assert len(chosen["hflip"]) / 4000 == pytest.approx(0.5, abs=0.032)
    assert len(chosen["affine"]) / 4000 == pytest.approx(0.25, abs=0.028)
    assert len(both) / 4000 == pytest.approx(0.125, abs=0.022)


def test_an_image_undergoes_one_change_of_a_group_at_most() -> None:
    group = settings(
        one_of=[["elastic", "grid", "optical"]],
        elastic={"p": 0.6}, grid={"p": 0.3}, optical={"p": 0.1},
    )  # fmt: skip
    chosen = choose(group, 0, 0, MANY)
    every = np.concatenate(list(chosen.values()))
    assert sorted(every.tolist()) == MANY.tolist()  # they add up to 1, so each has exactly one
    assert len(chosen["grid"]) / 4000 == pytest.approx(0.3, abs=0.03)


def test_the_share_leaves_images_as_they_are() -> None:
    chosen = choose(settings(share=0.9, hflip=1, vflip=1), 0, 0, MANY)
    assert chosen["hflip"].tolist() == chosen["vflip"].tolist()
    assert len(chosen["hflip"]) / 4000 == pytest.approx(0.9, abs=0.02)


def test_another_change_does_not_alter_the_choice_of_the_first() -> None:
    alone = choose(settings(hflip=0.5), 0, 0, MANY)["hflip"]
    beside = choose(settings(hflip=0.5, noise={"p": 0.5}, crop={"p": 1}), 0, 0, MANY)["hflip"]
    assert alone.tolist() == beside.tolist()
