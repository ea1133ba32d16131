"""The largest part of a mask: by hand, and against OpenCV's contours and components."""

from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dali_pipelines.cpu.parts import Part, largest_part

By = Literal["px", "area"]


def drawn(*rows: str) -> np.ndarray:
    return np.array([list(row) for row in rows]) == "#"


def by_opencv(lit: np.ndarray, by: By) -> tuple[int, np.ndarray] | None:
    """Size and px of the largest part; of equal ones the first in reading order."""
    image = lit.astype(np.uint8)
    if by == "px":
        count, labels, stats, _ = cv2.connectedComponentsWithStats(image, connectivity=8)
        sizes = {k: int(stats[k, cv2.CC_STAT_AREA]) for k in range(1, count)}
        masks = {k: labels == k for k in sizes if sizes[k] == max(sizes.values())}
    else:
        contours, _ = cv2.findContours(image, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        sizes = {k: round(2 * cv2.contourArea(line)) for k, line in enumerate(contours)}
        masks = {
            k: cv2.drawContours(np.zeros_like(image), [contours[k]], 0, 1, cv2.FILLED) > 0
            for k in sizes
            if sizes[k] == max(sizes.values())
        }
    if not sizes:
        return None
    first = min(masks, key=lambda k: int(masks[k].argmax()))
    return sizes[first], masks[first]


def check(lit: np.ndarray, by: By) -> Part | None:
    """The largest part, after a look that OpenCV finds the same."""
    part, wanted = largest_part(lit, by), by_opencv(lit, by)
    if part is None or wanted is None:
        assert part is None
        assert wanted is None
        return None
    size, mask = wanted
    rows, columns = np.nonzero(mask)
    assert part.size == size
    assert (part.top, part.bottom) == (rows[0], rows[-1] + 1)
    assert (part.left, part.right) == (columns.min(), columns.max() + 1)
    assert np.array_equal(part.mask(*lit.shape), mask)
    return part


@pytest.mark.parametrize("by", ["px", "area"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.45, 0.6, 0.8, 0.98])
@pytest.mark.parametrize("shape", [(120, 90), (31, 400), (200, 33)])
def test_speckle(shape: tuple[int, int], share: float, by: By) -> None:
    assert check(np.random.default_rng(7).random(shape) < share, by) is not None


@settings(max_examples=150, deadline=None)
@given(
    lit=arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9)),
    by=st.sampled_from(["px", "area"]),
)
def test_any_mask(lit: np.ndarray, by: By) -> None:
    check(lit, by)


@pytest.mark.parametrize("by", ["px", "area"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (4, 5)])
def test_nothing_and_everything(shape: tuple[int, int], by: By) -> None:
    assert largest_part(np.zeros(shape, bool), by) is None
    part = check(np.ones(shape, bool), by)
    area = 2 * (shape[0] - 1) * (shape[1] - 1)
    assert part is not None
    assert part.size == (shape[0] * shape[1] if by == "px" else area)


def test_a_ring_counts_with_all_that_lies_in_it() -> None:
    lit = drawn(
        "##########.....",
        "#........#.####",
        "#.######.#.####",
        "#.#....#.#.####",
        "#.#.##.#.#.####",
        "#.#....#.#.####",
        "#.######.#.####",
        "#........#.####",
        "##########.####",
    )
    area = check(lit, "area")
    assert area is not None
    assert (area.left, area.right, area.size) == (0, 10, 2 * 9 * 8)
    assert area.mask(*lit.shape).sum() == 90
    px = check(lit[:, :14], "px")  # 34 px of the ring, 3 * 8 of the bar
    assert px is not None
    assert (px.left, px.right, px.size) == (0, 10, 34)
    assert px.mask(9, 14).sum() == 34
    assert check(np.hstack([lit, lit[:, -4:]]), "px").right == 19  # type: ignore[union-attr]


def test_dark_px_do_not_meet_at_corners() -> None:
    lit = drawn(
        ".##.",
        "#..#",
        "#..#",
        ".##.",
    )
    area = check(lit, "area")
    assert area is not None
    assert area.size == 2 * 9 - 4  # 3 x 3 squares without half of each at the corners
    assert area.mask(4, 4).sum() == 12


def test_a_bay_that_is_open_to_the_frame_is_no_hole() -> None:
    lit = drawn("###", "#.#", "#.#")
    area = check(lit, "area")
    assert area is not None
    assert (area.size, int(area.mask(3, 3).sum())) == (2, 7)  # two triangles at the corners


def test_lines_and_dots_enclose_nothing_and_the_first_is_taken() -> None:
    lit = drawn("....#", ".#...", "#....", "...##")
    area, px = largest_part(lit, "area"), largest_part(lit, "px")
    assert area is not None
    assert px is not None
    assert (area.size, area.top, area.left) == (0, 0, 4)
    assert (px.size, px.top, px.left) == (2, 1, 0)
