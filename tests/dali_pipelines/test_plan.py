"""Blocks of an epoch: each sample the right number of times, on any number of ranks."""

import numpy as np
import pytest

from dali_pipelines.plan import EMPTY, rank_blocks, sequential_blocks, shuffled_blocks

LABELS = np.array([1] * 5 + [0] * 32 + [-1] * 3)


def drawn(blocks: np.ndarray) -> list[int]:
    return sorted(int(index) for index in blocks.ravel() if index != EMPTY)


def test_sequential_blocks_are_in_order_and_end_with_empty_slots() -> None:
    assert sequential_blocks(5, 2).tolist() == [[0, 1], [2, 3], [4, EMPTY]]
    assert sequential_blocks(0, 2).shape == (0, 2)


def test_shuffled_blocks_draw_every_index_once_and_differ_between_epochs() -> None:
    first = shuffled_blocks(None, 10, 4, seed=3, epoch=0)
    assert drawn(first) == list(range(10))
    assert first.tolist() == shuffled_blocks(None, 10, 4, seed=3, epoch=0).tolist()
    assert first.tolist() != shuffled_blocks(None, 10, 4, seed=3, epoch=1).tolist()
    assert first.tolist() != shuffled_blocks(None, 10, 4, seed=4, epoch=0).tolist()


def test_balanced_blocks_hold_their_share_and_every_negative_once() -> None:
    blocks = shuffled_blocks(LABELS, len(LABELS), 8, seed=0, epoch=0, positive_share=0.25)
    positives = (blocks < 5) & (blocks != EMPTY)
    assert (positives.sum(axis=1) == 2).all()
    assert drawn(blocks[~positives]) == list(range(5, 37))  # no unknown, no negative twice


def test_positives_are_cycled_so_that_none_comes_twice_more_than_another() -> None:
    blocks = shuffled_blocks(LABELS, len(LABELS), 8, seed=0, epoch=0, positive_share=0.25)
    times = np.bincount(blocks[(blocks < 5) & (blocks != EMPTY)], minlength=5)
    assert times.sum() == 2 * len(blocks)
    assert times.max() - times.min() <= 1


@pytest.mark.parametrize("share", [0.0001, 0.9999])
def test_even_an_extreme_share_leaves_one_of_each_class(share: float) -> None:
    blocks = shuffled_blocks(LABELS, len(LABELS), 4, seed=0, epoch=0, positive_share=share)
    full = blocks[(blocks != EMPTY).all(axis=1)]
    assert ((full < 5).sum(axis=1) >= 1).all()
    assert ((full >= 5).sum(axis=1) >= 1).all()


@pytest.mark.parametrize("labels", [np.ones(4, int), np.zeros(4, int), np.full(4, -1)])
def test_a_share_needs_both_classes(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="need both classes"):
        shuffled_blocks(labels, 4, 2, seed=0, epoch=0, positive_share=0.5)


@pytest.mark.parametrize("world", [1, 2, 3, 4, 6])
def test_ranks_get_equal_counts_and_together_the_whole_epoch(world: int) -> None:
    blocks = shuffled_blocks(None, 53, 4, seed=1, epoch=2)
    shares = [rank_blocks(blocks, rank, world) for rank in range(world)]
    assert len({len(share) for share in shares}) == 1
    assert drawn(np.concatenate(shares)) == list(range(53))


def test_another_world_size_continues_with_exactly_the_remaining_samples() -> None:
    blocks = shuffled_blocks(None, 53, 4, seed=1, epoch=2)
    done = np.concatenate([rank_blocks(blocks, rank, 2)[:3] for rank in range(2)])
    rest = np.concatenate([rank_blocks(blocks, rank, 3, consumed=6) for rank in range(3)])
    assert sorted(drawn(done) + drawn(rest)) == list(range(53))
