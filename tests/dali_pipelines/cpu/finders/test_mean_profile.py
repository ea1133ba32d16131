"""Shares of px above the mean: against the published steps in NumPy's own words, and by hand."""

import numpy as np
import pytest

from dali_pipelines.cpu.finders.mean_profile import find
from dali_pipelines.roi_settings import MeanProfileSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast


def settings(buffer: int, threshold: float = 0.1) -> RoiSettings:
    constants = MeanProfileSettings(threshold=threshold, buffer=buffer)
    return RoiSettings(method="mean-profile", mirror="none", mean_profile=constants)


def published(lines: np.ndarray, buffer: int, threshold: float) -> tuple[int, int]:
    lines = lines.copy()
    lines[:5] = 0
    lines[-5:] = 0
    spread = (lines - lines.min() + 1e-4) / (lines.max() - lines.min() + 1e-4)
    above = np.where(spread > threshold)[0]
    return max(above.min() - buffer, 0), min(above.max() + buffer, len(lines))


@pytest.mark.parametrize("threshold", [0.1, 0.35])
@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_published_box(seed: int, threshold: float) -> None:
    image = drawn_breast((120 + 17 * seed, 100 + 9 * seed), seed, right=seed % 2 == 1)
    levels = (image // 257).astype(np.uint8)
    bright = levels > levels.mean()
    box = [*published(bright.mean(1), 8, threshold), *published(bright.mean(0), 8, threshold)]
    assert find([image], settings(8, threshold)) == [Roi(*box)]


def test_by_hand() -> None:
    image = np.zeros((40, 30), np.uint16)
    image[10:20, 8:12] = 65535
    image[30, 8] = 65535  # a quarter of the brightest row, an eleventh of the brightest column
    assert find([image], settings(1)) == [Roi(9, 31, 7, 12)]  # 1 before the first, to the last
    assert find([image], settings(3)) == [Roi(7, 33, 5, 14)]
    assert find([image], settings(100)) == [Roi(0, 40, 0, 30)]
    assert find([image], settings(1, threshold=0.3)) == [Roi(9, 20, 7, 12)]


def test_the_outermost_lines_count_as_dark() -> None:
    image = np.zeros((40, 30), np.uint16)
    image[:5] = image[-5:] = 65535
    image[:, :5] = image[:, -5:] = 65535
    image[10:20, 8:12] = 65535
    # A fourth of each row is bright anyway, which the outermost ones are not: 0 is the least.
    assert find([image], settings(1)) == [Roi(4, 35, 4, 25)]


@pytest.mark.parametrize("shape", [(1, 1), (9, 4), (30, 20)])
def test_where_nothing_is_brighter_all_is_kept(shape: tuple[int, int]) -> None:
    image = np.full(shape, 257, np.uint16)
    assert find([image], settings(1)) == [Roi(0, shape[0], 0, shape[1])]


def test_levels_are_compared_with_the_mean_of_levels() -> None:
    image = np.full((20, 20), 255, np.uint16)  # level 0, although above the mean of the values
    image[:10] = 0
    assert find([image], settings(1)) == [Roi(0, 20, 0, 20)]
    image[12, 9] = 257
    assert find([image], settings(1)) == [Roi(11, 13, 8, 10)]
