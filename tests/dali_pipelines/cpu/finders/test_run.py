"""The longest run that is not constant: against the published steps written out, and by hand."""

import numpy as np
import pytest

from dali_pipelines.cpu.finders.run import find
from dali_pipelines.roi_settings import RoiSettings, RunSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast

PLAIN = RoiSettings(method="run", mirror="none")


def kept(varies: np.ndarray) -> tuple[int, int]:
    """The longest run as published: the way between the zeros, or the ends, on either side."""
    counted = []
    for i, lit in enumerate(varies):
        left = max((j for j in range(i, -1, -1) if not varies[j]), default=0)
        right = min((j for j in range(i, len(varies)) if not varies[j]), default=len(varies) - 1)
        counted.append(right - left - 1 if lit else -1)
    lines = np.flatnonzero(np.array(counted) == max(counted))
    return int(lines[0]), int(lines[-1]) + 1


def reference(image: np.ndarray) -> Roi:
    """The box as published, where no two runs are equal."""
    levels = (image // 257).astype(np.float64)
    levels[levels <= 40] = 0
    middle, reach = image.shape[0] // 2, int(image.shape[0] * 0.4)
    left, right = kept(levels[middle - reach : middle + reach].std(axis=0) != 0)
    levels = levels[:, left:right]
    middle, reach = (right - left) // 2, int((right - left) * 0.4)
    top, bottom = kept(levels[:, middle - reach : middle + reach].std(axis=1) != 0)
    return Roi(top, bottom, left, right)


@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_published_box(seed: int) -> None:
    image = drawn_breast((90 + 13 * seed, 70 + 9 * seed), seed, right=seed % 2 == 1)
    image[5:9, -12:-3] = np.arange(9) * 7000  # a label
    assert find([image], PLAIN) == [reference(image)]


def columns_of(varies: str) -> tuple[int, int]:
    """First and after of the columns kept, of ten rows that vary where there is a #."""
    image = np.zeros((10, len(varies)), np.uint16)
    image[::2, [letter == "#" for letter in varies]] = 65535
    (box,) = find([image], PLAIN)
    return box.left, box.right


@pytest.mark.parametrize(
    ("varies", "kept_columns"),
    [
        (".##.###.#", (4, 7)),
        (".##.##.#.", (1, 3)),  # of equal ones the first
        ("###.###.#", (4, 7)),  # one at the edge counts one less
        ("###.##.#", (0, 3)),  # 2 like the other, and the first
        ("##.###", (3, 6)),  # 1 and 2
        ("......", (0, 6)),  # nothing varies: all
        ("#", (0, 1)),
        ("######", (0, 6)),
    ],
)
def test_the_longest_run_by_hand(varies: str, kept_columns: tuple[int, int]) -> None:
    assert columns_of(varies) == kept_columns


def test_levels_up_to_the_limit_are_one() -> None:
    image = np.zeros((10, 8), np.uint16)
    image[::2, 2:4] = 40 * 257 + 256  # level 40
    image[::2, 5:7] = 41 * 257
    assert find([image], PLAIN)[0].left == 5
    lower = RoiSettings(method="run", mirror="none", run=RunSettings(level=39))
    assert find([image], lower)[0].left == 2


def test_only_the_central_part_is_judged() -> None:
    image = np.zeros((20, 20), np.uint16)
    image[0:2, 10:20] = 65535  # the first tenth of the rows
    image[3:9, 2:6] = 65535
    # Rows 2 ... 17 are judged, then of columns 2 ... 5 the columns 3 and 4: constant everywhere.
    assert find([image], PLAIN) == [Roi(0, 20, 2, 6)]
    image[3:9, 3] = 30000
    assert find([image], PLAIN) == [Roi(3, 9, 2, 6)]
    all_rows = RoiSettings(method="run", mirror="none", run=RunSettings(central=1.0))
    assert find([image], all_rows)[0].left == 10


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (2, 2)])
def test_tiny_images_are_kept(shape: tuple[int, int]) -> None:
    image = np.full(shape, 65535, np.uint16)
    assert find([image], PLAIN) == [Roi(0, shape[0], 0, shape[1])]
