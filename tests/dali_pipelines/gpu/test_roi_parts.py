"""The largest part of a mask by kernels: shapes on which labels are easily torn or mixed up."""

import numpy as np
import pytest

from tests.dali_pipelines.gpu.compared_boxes import box, drawn

pytestmark = pytest.mark.usefixtures("each_device")

SPIRAL = drawn(
    "##########.",
    ".........#.",
    "########.#.",
    "#......#.#.",
    "#.####.#.#.",
    "#.#..#.#.#.",
    "#.#.##.#.#.",
    "#.#....#.#.",
    "#.######.#.",
    "#........#.",
    "##########.",
)
COMB = drawn(
    "#.#.#.#.#.#.#",
    "#.#.#.#.#.#.#",
    "#.#.#.#.#.#.#",
    "#############",
)
DIAGONALS = drawn(
    "...#....#",
    "..#.#..#.",
    ".#...##..",
    "#........",
)


@pytest.mark.parametrize("part", [SPIRAL, COMB, DIAGONALS], ids=["spiral", "comb", "diagonals"])
@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_winding_part_stays_in_one_piece(part: np.ndarray, turns: int, mirrored: bool) -> None:
    turned = np.rot90(part[:, ::-1] if mirrored else part, turns)
    size = int((turned > 0).sum())
    rows, columns = np.nonzero(turned)
    image = np.zeros((turned.shape[0], turned.shape[1] + 2 + size), np.uint16)
    image[:, : turned.shape[1]] = turned
    image[-1, -size + 1 :] = 65535  # a bar that has one px less
    assert box(image) == (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1)
    image[-1, -size - 1 :] = 65535  # and one with one px more
    assert box(image) == (len(image) - 1, len(image), image.shape[1] - size - 1, image.shape[1])


def test_a_long_spiral_is_one_part() -> None:
    image, low, high = np.zeros((99, 99), np.uint16), 0, 98
    while low < high:
        image[low, max(0, low - 2) : high + 1] = image[low : high + 1, high] = 65535
        image[high, low : high + 1] = image[low + 2 : high + 1, low] = 65535
        low, high = low + 2, high - 2
    assert box(image) == (0, 99, 0, 99)


def test_the_teeth_of_a_comb_meet_only_at_its_back() -> None:
    teeth = np.zeros((250, 255), np.uint16)
    teeth[:, ::2] = 65535
    assert box(teeth) == (0, 250, 0, 1)  # 128 parts of one size
    teeth[-1, 1:200] = 65535
    assert box(teeth) == (0, 250, 0, 201)
    assert box(teeth[::-1].copy()) == (0, 250, 0, 201)


def test_a_checkerboard_is_one_part() -> None:
    image = (np.indices((90, 131)).sum(axis=0) % 2 * 65535).astype(np.uint16)
    assert box(image) == (0, 90, 0, 131)


def test_of_equal_parts_the_first_in_reading_order_is_taken() -> None:
    assert box(drawn("....#", "##..#", "....."))[2:] == (4, 5)  # its first px is in a higher row
    assert box(drawn(".##.##", "......"))[2:] == (1, 3)
    assert box(drawn("...#.", ".#..#", "..#.."))[2:] == (3, 5)
    dots = np.zeros((120, 140), np.uint16)
    dots[3::2, 5::2] = 65535
    assert box(dots) == (3, 4, 5, 6)


@pytest.mark.parametrize("corner", [(0, 0), (0, 255), (255, 0), (255, 255)])
def test_one_px_is_a_part(corner: tuple[int, int]) -> None:
    image = np.zeros((256, 256), np.uint16)
    image[corner] = 65535
    row, column = corner
    assert box(image) == (row, row + 1, column, column + 1)
