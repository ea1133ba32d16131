"""The background's level, its polarity and the contrast of the breast, worked out by hand."""

import numpy as np
import pytest

from dali_pipelines.cpu.breast.background import (
    Background,
    below,
    outline_contrast,
    outlines,
    side_level,
    tell_background,
)


def test_the_level_is_the_most_frequent_along_the_sides() -> None:
    levels = np.full((20, 20), 195)
    levels[3:-3, 3:-3] = 0  # more of them, but not along the sides
    assert side_level(levels) == 195


def test_of_equally_frequent_levels_the_darkest_counts() -> None:
    assert side_level(np.array([[2] * 4 + [39] * 4])) == 2


def test_levels_up_to_two_away_count_with_it() -> None:
    levels = np.repeat([10, 11, 13, 14, 40], [3, 3, 3, 3, 5])[None, :]
    assert side_level(levels) == 12  # 12 lie from 10 to 14, though none at 12 itself
    levels = np.repeat([10, 11, 40], [3, 4, 5])[None, :]
    assert side_level(levels) == 11  # 7 near either of 9 ... 12, and most of them at 11


@pytest.mark.parametrize("dark", [True, False])
def test_a_square_on_a_plain_background(dark: bool) -> None:
    means = np.full((30, 30), 1000)
    means[10:20, 10:20] = 1000 + 20 * 256
    means = means if dark else 65535 - means
    found = tell_background(means, 1)
    assert found is not None
    assert found.sign == (1 if dark else -1)
    assert found.contrast == 1
    assert found.level == (3 if dark else 252)
    lit = found.stands_out(means)
    assert lit.sum() == 100
    assert lit[10:20, 10:20].all()


def test_pairs_of_neighbors_are_counted_across_each_contrast() -> None:
    numbers, sums = outlines(np.array([[0, 3, 3], [0, 1, 70]]))
    # Pairs: 0-3, 3-3, 0-1, 1-70 in rows, 0-0, 3-1, 3-70 in columns.
    assert numbers[:6].tolist() == [0, 2, 3, 3, 2, 2]
    assert sums[:6].tolist() == [0, 3 + 1, 3 + 32 + 2, 3 + 32 + 2, 32 + 32, 32 + 32]
    assert numbers[63] == 2


def test_blocks_below_each_contrast_are_counted() -> None:
    found = below(np.array([0, 0, 2, 63, 64, 200]))
    assert found[[0, 1, 2, 3, 63]].tolist() == [0, 2, 2, 3, 3]
    assert found.shape == (64,)


def test_the_lowest_contrast_that_is_nearly_the_best_is_taken() -> None:
    # A strip of padding, 10 levels up, and on it a block of 40 levels.
    levels = np.zeros((40, 40), np.int64)
    levels[:, :20] = 10
    levels[5:35, 4:19] = 40
    numbers, sums = outlines(levels)
    assert numbers[[1, 10, 11, 40, 41]].tolist() == [40, 40, 90, 90, 0]
    assert sums[[1, 10, 11, 40]].tolist() == [400, 400, 90 * 30, 90 * 30]
    # 444 blocks lie along the sides, half of them in the strip. It holds 800 of the 1600, the block
    # 450: 400 / 40**2 * 128**2 * 127**3 against 2700 / 90**2 * 72**2 * 255**3. Without the sides
    # the strip would be the better one.
    assert outline_contrast(levels, 1) == 11
    assert outline_contrast(levels, 20) == 20
    levels[:, :20] = np.where(levels[:, :20] == 10, 0, 40)
    assert outline_contrast(levels, 1) == 1


def test_a_bright_label_is_too_small_to_count() -> None:
    levels = np.zeros((60, 60), np.int64)
    levels[10:50, 3:40] = 10
    levels[2:6, 50:56] = 60
    assert outline_contrast(levels, 1) == 1
    levels[10:50, 3:40] = 0
    assert outline_contrast(levels, 11) == 11  # where it is all there is, it does


def test_no_outline_is_no_background() -> None:
    assert outline_contrast(np.zeros((9, 9), np.int64), 1) is None
    assert tell_background(np.full((9, 9), 700), 1) is None


def test_a_ragged_outline_is_no_background() -> None:
    # 4 * (rows + columns) pairs are plain, one more is not: dots of a px have four each.
    levels = np.zeros((21, 19), np.int64)
    places = [(y, x) for y in range(1, 20, 2) for x in range(1, 18, 2)]
    for y, x in places[:40]:
        levels[y, x] = 30
    assert outlines(levels)[0][30] == 160 == 4 * sum(levels.shape)
    assert outline_contrast(levels, 1) == 1
    levels[places[40]] = 30
    assert outline_contrast(levels, 1) is None


def test_levels_count_from_the_background() -> None:
    means = np.array([[0, 3 * 256 + 255, 4 * 256, 8 * 256 + 255, 9 * 256]])
    dark, bright = Background(2, 1, 2), Background(6, -1, 2)
    assert dark.stands_out(means).tolist() == [[False, False, True, True, True]]
    assert bright.stands_out(means).tolist() == [[True, True, True, False, False]]
