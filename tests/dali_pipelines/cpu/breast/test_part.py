"""The part of a mask that is a breast, against other software and by hand."""

import cv2
import numpy as np
import pytest

from dali_pipelines.cpu.breast.part import breast_part, largest_part, part_box


def drawn(*rows: str) -> np.ndarray:
    """A mask, True where a row has a #."""
    return np.array([list(row) for row in rows]) == "#"


def test_the_largest_part_is_connected_through_corners() -> None:
    mask = drawn("#...#", ".#..#", "..#..")
    assert largest_part(mask).tolist() == drawn("#....", ".#...", "..#..").tolist()


def test_of_equal_parts_the_first_in_reading_order_counts() -> None:
    assert largest_part(drawn("...##", "##...")).tolist() == drawn("...##", ".....").tolist()


def test_an_empty_mask_has_no_part() -> None:
    part = breast_part(np.zeros((300, 256), bool)[:256])
    assert not part.any()
    assert part_box(part) is None


@pytest.mark.parametrize("thick", [14, 15])
def test_what_is_thinner_than_the_square_falls_off(thick: int) -> None:
    mask = np.zeros((256, 200), bool)
    mask[50:150, 30:100] = True
    mask[90 : 90 + thick, 100:180] = True  # an arm
    box = part_box(breast_part(mask))
    assert box == (50, 150, 30, 104 if thick == 14 else 180)  # four blocks of it come back


def test_a_breast_goes_on_beyond_the_frame() -> None:
    mask = np.zeros((256, 200), bool)
    mask[60:200, :8] = True  # 8 blocks deep: more than half of the square
    assert part_box(breast_part(mask)) == (60, 200, 0, 8)
    mask[:, 7] = False
    assert part_box(breast_part(mask)) is None


def test_a_line_that_few_blocks_hold_does_not_widen_the_box() -> None:
    part = np.zeros((256, 256), bool)
    part[100:200, 50:90] = True
    part[99, 50:56], part[200, 50:57] = True, True
    assert part_box(part) == (100, 201, 50, 90)


@pytest.mark.parametrize("seed", range(12))
def test_opening_and_parts_are_those_of_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(120, 257, 2))
    mask = cv2.blur(rng.random(shape), (9, 9)) > rng.uniform(0.42, 0.5)
    longer = max(shape)
    radius, restored = longer * 7 // 256, longer * 4 // 256
    square = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    kept = cv2.erode(mask.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=1)
    opened = cv2.dilate(kept, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    part = np.zeros(shape, np.uint8)
    if count > 1:
        part = (labels == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()).astype(np.uint8)
    for _ in range(restored):
        part = cv2.dilate(part, np.ones((3, 3), np.uint8)) & mask
    assert np.array_equal(breast_part(mask), part.astype(bool))
