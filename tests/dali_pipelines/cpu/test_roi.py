"""The breast box on drawn images where the truth is known."""

import numpy as np
import pytest

from dali_pipelines.cpu.roi import background_level, block_means, find_breast, largest_part, roi
from dali_pipelines.recipe import RoiSettings

EXACT = RoiSettings(margin=0.0)


def half_ellipse(shape: tuple[int, int], box: tuple[int, int, int], level: int) -> np.ndarray:
    """A breast against the left edge: rows box[0] ... box[1], as wide as box[2]."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle, half = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    inside = ((rows - middle) / half) ** 2 + (columns / box[2]) ** 2 <= 1
    return np.where(inside, level, 0).astype(np.uint16)


def test_a_breast_is_boxed_to_within_a_block() -> None:
    image = half_ellipse((1024, 800), (100, 900, 500), 30000)
    box = find_breast(image, EXACT)
    block = 4
    assert box.found
    assert not box.mirror
    assert box.left == 0
    for found, true in ((box.top, 100), (box.bottom, 900), (box.right, 500)):
        assert abs(found - true) <= 2 * block


def test_a_mirrored_breast_gives_the_mirrored_box() -> None:
    image = half_ellipse((1024, 800), (100, 900, 500), 30000)
    left, right = roi([image, image[:, ::-1].copy()], EXACT)
    assert right.mirror
    assert (right.top, right.bottom) == (left.top, left.bottom)
    assert (800 - right.right, 800 - right.left) == (left.left, left.right)


def test_a_label_beside_the_breast_is_left_out() -> None:
    image = half_ellipse((1024, 800), (200, 900, 400), 20000)
    image[20:100, 650:780] = 65535
    assert find_breast(image, EXACT) == find_breast(
        half_ellipse((1024, 800), (200, 900, 400), 20000), EXACT
    )


def test_a_background_that_is_not_zero_is_not_breast() -> None:
    image = half_ellipse((1024, 800), (200, 900, 400), 20000)
    lifted = np.maximum(image, 2000).astype(np.uint16)
    assert find_breast(lifted, EXACT) == find_breast(image, EXACT)


def test_the_margin_widens_and_stops_at_the_frame() -> None:
    image = half_ellipse((1000, 800), (100, 900, 500), 30000)
    tight, wide = find_breast(image, EXACT), find_breast(image, RoiSettings(margin=0.1))
    assert wide.left == 0
    assert tight.top - wide.top == int(tight.height * 0.1)
    assert wide.right - tight.right == int(tight.width * 0.1)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((300, 200), np.uint16),
        np.pad(np.full((8, 8), 60000, np.uint16), ((0, 292), (0, 192))),
    ],
    ids=["black", "speck"],
)
def test_no_breast_gives_the_full_frame(image: np.ndarray) -> None:
    box = find_breast(image, EXACT)
    assert not box.found
    assert (box.top, box.bottom, box.left, box.right) == (0, 300, 0, 200)


def test_a_frame_full_of_breast_is_kept_whole() -> None:
    box = find_breast(np.full((300, 200), 65535, np.uint16), EXACT)
    assert (box.top, box.bottom, box.left, box.right) == (0, 300, 0, 200)


def test_method_none_keeps_the_frame_as_it_is() -> None:
    box = find_breast(half_ellipse((64, 48), (10, 50, 30), 30000), RoiSettings(method="none"))
    assert (box.top, box.bottom, box.left, box.right, box.mirror) == (0, 64, 0, 48, False)


def test_block_means_are_floored_integers_also_at_the_edges() -> None:
    image = np.array([[1, 2, 9], [2, 2, 8], [5, 5, 3]], dtype=np.uint16)
    assert block_means(image, 2).tolist() == [[1, 8], [5, 3]]


def test_background_is_the_most_frequent_dark_level() -> None:
    means = np.array([[300, 300, 300, 65535, 65535, 65535, 65535, 1]])
    assert background_level(means) == 511  # level 1 of 256: 256 ... 511


def test_the_largest_part_is_connected_through_corners() -> None:
    mask = np.array([[1, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]], dtype=bool)
    assert np.argwhere(largest_part(mask)).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert not largest_part(np.zeros((3, 3), bool)).any()
