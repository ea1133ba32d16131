"""The largest part of a mask by the kernel: shapes on which labels are easily torn or mixed up.

Images of up to 36 px have a square of one px, so that nothing falls off.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis.extra.numpy import array_shapes, arrays

from tests.dali_pipelines.gpu.compared_boxes import SPIRAL_ROWS, box, boxes, drawn

pytestmark = pytest.mark.usefixtures("each_device")

SPIRAL = drawn(*SPIRAL_ROWS)
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
    rows, columns = (places + 4 for places in np.nonzero(turned))
    image = np.zeros((36, 36), np.uint16)
    image[4 : 4 + turned.shape[0], 4 : 4 + turned.shape[1]] = turned
    low, high = image.copy(), image.copy()
    for other, count in ((low, size - 1), (high, size + 1)):
        for k in range(count):  # a block that has one px less, and one with one px more
            other[22 + k // 28, 4 + k % 28] = 65535
    found = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
    assert box(low) == found
    assert box(high) != found
    assert box(high)[0] == 22


def test_of_equal_parts_the_first_in_reading_order_is_taken() -> None:
    dots = np.zeros((30, 34), np.uint16)
    dots[3:27:4, 5:30:5] = 65535
    assert box(dots) == (3, 4, 5, 6)


@pytest.mark.parametrize("corner", [(0, 0), (0, 35), (35, 0), (35, 35)])
def test_one_px_is_a_part(corner: tuple[int, int]) -> None:
    image = np.zeros((36, 36), np.uint16)
    image[corner] = 65535
    row, column = corner
    assert box(image) == (row, row + 1, column, column + 1)


def test_a_comb_of_thick_teeth_is_one_part() -> None:
    """Strokes of 16 px, which outlive the opening by 15."""
    image = np.zeros((256, 256), np.uint16)
    image[40:104, 20:228] = np.kron(COMB, np.ones((16, 16), np.uint16))
    assert box(image) == (40, 104, 20, 228)


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(mask=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=26)))
def test_any_mask(mask: np.ndarray) -> None:
    boxes([np.pad(mask, 5).astype(np.uint16) * 65535])
