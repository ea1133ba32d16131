"""A window of fixed size: against a plain reading of its rule, and by hand."""

import numpy as np
import pytest
from scipy import ndimage

from dali_pipelines.cpu.finders.window import find
from dali_pipelines.roi_settings import RoiSettings, WindowSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast


def settings(size: tuple[int, int], erode: int, margin: int, mirror: bool = True) -> RoiSettings:
    constants = WindowSettings(size=size, erode=erode, margin=margin)
    turn = "chest-left" if mirror else "none"
    return RoiSettings(method="window", mirror=turn, mirror_by="columns", window=constants)


def fullest(counts: np.ndarray, size: int) -> slice:
    if len(counts) <= size:
        return slice(0, len(counts))
    held = [counts[first : first + size].sum() for first in range(len(counts) - size + 1)]
    return slice(held.index(max(held)), held.index(max(held)) + size)


def reference(image: np.ndarray, size: tuple[int, int], erode: int, margin: int) -> Roi:
    """The box of a picture whose chest wall is at the left, step by step."""
    lit = image > 0
    eroded = ndimage.binary_erosion(lit, iterations=erode)
    labels, _ = ndimage.label(eroded, np.ones((3, 3)))
    part = labels == np.bincount(labels[labels > 0]).argmax()
    rows, columns = np.nonzero(ndimage.binary_dilation(part, iterations=erode))
    top, bottom = max(0, rows.min() - margin), min(len(lit), rows.max() + 1 + margin)
    left, right = columns.min(), min(lit.shape[1], columns.max() + 1 + margin)
    across = fullest(lit[top:bottom, left:right].sum(axis=0), size[1])
    kept = lit[top:bottom, left:right][:, across]
    down = fullest(kept.sum(axis=1), size[0])
    return Roi(*(int(edge) for edge in (top + down.start, top + down.stop)),
               *(int(edge) for edge in (left + across.start, left + across.stop)))  # fmt: skip


@pytest.mark.parametrize("size", [(400, 400), (90, 60), (50, 400), (400, 30)])
@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_rule_read_plainly(seed: int, size: tuple[int, int]) -> None:
    image = drawn_breast((190 + 30 * seed, 150), seed)
    image[np.random.default_rng(seed).random(image.shape) < 0.001] = 0
    image[3:20, 100:130] = 50000  # a label, larger than the erosion takes away
    wanted = reference(image, size, 5, 9)
    assert find([image], settings(size, 5, 9)) == [wanted]
    turned = Roi(wanted.top, wanted.bottom, 150 - wanted.right, 150 - wanted.left, mirror=True)
    assert find([np.ascontiguousarray(image[:, ::-1])], settings(size, 5, 9)) == [turned]


def square(right: bool = False) -> np.ndarray:
    """20 x 10 lit px in a frame of 40 x 30, in touch with one side."""
    image = np.zeros((40, 30), np.uint16)
    image[10:30, slice(20, 30) if right else slice(0, 10)] = 1
    return image


def test_the_margin_is_not_toward_the_chest_wall() -> None:
    image = np.roll(square(), 3, axis=1)
    assert find([image], settings((99, 99), 0, 2)) == [Roi(8, 32, 3, 15)]
    image = np.roll(square(right=True), -3, axis=1)
    assert find([image], settings((99, 99), 0, 2)) == [Roi(8, 32, 15, 27, mirror=True)]
    assert find([image], settings((99, 99), 0, 2, mirror=False)) == [Roi(8, 32, 15, 27)]


def test_an_erosion_begins_at_the_frame_and_is_undone() -> None:
    image = square()
    # 4 px from all sides, 5 rows of 2 px are left of the corners' diamonds: dilated, 20 x 10 again.
    assert find([image], settings((99, 99), 4, 0)) == [Roi(10, 30, 0, 10)]
    assert find([image], settings((99, 99), 5, 0)) == [Roi(0, 40, 0, 30, found=False)]


def test_a_bridge_does_not_join_parts() -> None:
    image = square()
    image[19, 10:] = image[15:23, 22:] = 1
    # Where the bridge begins, one px more outlives than at the rest of the edge.
    assert find([image], settings((99, 99), 2, 0)) == [Roi(10, 30, 0, 11)]
    assert find([image], settings((99, 99), 0, 0)) == [Roi(10, 30, 0, 30)]


def test_of_equal_places_the_nearest_to_the_chest_wall_and_the_upper_one() -> None:
    assert find([square()], settings((6, 4), 1, 0)) == [Roi(10, 16, 0, 4)]
    right = find([square(right=True)], settings((6, 4), 1, 0))
    assert right == [Roi(10, 16, 26, 30, mirror=True)]


def test_the_window_goes_where_most_is() -> None:
    image = square()
    image[10:30:2, 0:2] = 0  # ten px fewer in each of the first two columns
    image[10:14, 2:10] = 0
    image[9, 9] = 1  # keeps the box as it is
    assert find([image], settings((12, 8), 0, 0)) == [Roi(14, 26, 2, 10)]


def test_black_has_no_breast() -> None:
    image = np.zeros((8, 9), np.uint16)
    assert find([image], settings((4, 4), 0, 0)) == [Roi(0, 8, 0, 9, found=False)]
