"""The breast box on drawn images where the truth is known, and against a plain reading of it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dali_pipelines.cpu.roi import roi
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi

EXACT = RoiSettings(auto=AutoSettings(margin=0.0))
ANY_SIZE = RoiSettings(auto=AutoSettings(margin=0.0, min_area=0.0))


def box_of(image: np.ndarray, settings: RoiSettings = EXACT) -> Roi:
    (box,) = roi([image], settings)
    return box


def edges(box: Roi) -> tuple[int, int, int, int]:
    return box.top, box.bottom, box.left, box.right


def half_ellipse(shape: tuple[int, int], box: tuple[int, int, int], level: int) -> np.ndarray:
    """A breast against the left edge: rows box[0] ... box[1], as wide as box[2]."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle, half = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    inside = ((rows - middle) / half) ** 2 + (columns / box[2]) ** 2 <= 1
    return np.where(inside, level, 0).astype(np.uint16)


def test_a_breast_is_boxed_to_within_a_block() -> None:
    box = box_of(half_ellipse((1024, 800), (100, 900, 500), 30000))
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
    labeled = image.copy()
    labeled[20:100, 650:780] = 65535
    assert box_of(labeled) == box_of(image)


def test_a_background_that_is_not_zero_is_not_breast() -> None:
    image = half_ellipse((1024, 800), (200, 900, 400), 20000)
    assert box_of(np.maximum(image, 2000).astype(np.uint16)) == box_of(image)


def test_the_margin_widens_and_stops_at_the_frame() -> None:
    image = half_ellipse((1000, 800), (100, 900, 500), 30000)
    tight, wide = box_of(image), box_of(image, RoiSettings(auto=AutoSettings(margin=0.1)))
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
    box = box_of(image)
    assert not box.found
    assert edges(box) == (0, 300, 0, 200)


def test_a_frame_full_of_breast_is_kept_whole() -> None:
    assert edges(box_of(np.full((300, 200), 65535, np.uint16))) == (0, 300, 0, 200)


def test_method_none_keeps_the_frame_as_it_is() -> None:
    image = half_ellipse((64, 48), (10, 50, 30), 30000)
    assert box_of(image, RoiSettings(method="none", mirror="none")) == Roi(0, 64, 0, 48)


def test_the_mean_of_a_block_is_rounded_down() -> None:
    # 2 x 2 blocks. Level 0 of 256, up to 255, is background; breast is above 255 + 0.04 * 65536.
    limit = 255 + 2621
    image = np.zeros((512, 400), np.uint16)
    image[10:12, 20:22] = [[limit + 1, limit + 1], [limit + 1, limit]]
    assert not box_of(image, ANY_SIZE).found
    image[11, 21] = limit + 1
    assert edges(box_of(image, ANY_SIZE)) == (10, 12, 20, 22)


def test_blocks_at_the_edges_are_means_of_the_pixels_they_have() -> None:
    image = np.zeros((511, 399), np.uint16)  # the last block is one row high, the last one wide
    image[510, 398] = 255 + 2621 + 1
    assert edges(box_of(image, ANY_SIZE)) == (510, 511, 398, 399)


def test_background_is_the_most_frequent_dark_level() -> None:
    # Three pixels of level 1 of 256, which ends at 511, against one of level 0 and four bright
    dim = 511 + 2621
    image = np.array([[300, 300, 300, 65535, 65535, 65535, 65535, 1, dim]], np.uint16)
    assert edges(box_of(image, ANY_SIZE)) == (0, 1, 3, 7)
    image[0, 2] = dim + 1
    image[0, 8] = 300
    assert edges(box_of(image, ANY_SIZE)) == (0, 1, 2, 7)


def test_the_largest_part_is_connected_through_corners() -> None:
    mask = np.array([[1, 0, 0, 0, 1], [0, 1, 0, 0, 1], [0, 0, 1, 0, 0]])
    assert edges(box_of((mask * 65535).astype(np.uint16), ANY_SIZE)) == (0, 3, 0, 3)


def test_of_equal_parts_the_first_in_reading_order_counts() -> None:
    image = np.zeros((9, 9), np.uint16)
    image[5, 1] = image[2, 7] = 65535
    assert edges(box_of(image, ANY_SIZE)) == (2, 3, 7, 8)


def flood(mask: set[tuple[int, int]], seed: tuple[int, int]) -> set[tuple[int, int]]:
    """The 8-connected part of the mask that holds the seed."""
    part, todo = {seed}, [seed]
    while todo:
        y, x = todo.pop()
        near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & mask - part
        part |= near
        todo += near
    return part


def plain_box(image: np.ndarray, settings: RoiSettings) -> Roi:
    """The box by loops over blocks, in Python's own integers."""
    height, width = image.shape
    block = max(1, -(-max(height, width) // 256))
    means = {}
    for y in range(-(-height // block)):
        for x in range(-(-width // block)):
            cell = image[y * block : (y + 1) * block, x * block : (x + 1) * block]
            means[y, x] = sum(cell.ravel().tolist()) // cell.size
    levels = [sum(mean // 256 == level for mean in means.values()) for level in range(128)]
    limit = levels.index(max(levels)) * 256 + 255 + int(settings.auto.threshold * 65536)
    bright = {place for place, mean in means.items() if mean > limit}
    breast: set[tuple[int, int]] = set()
    for place in sorted(bright):
        if place not in breast and len(part := flood(bright, place)) > len(breast):
            breast = part
    if not breast:
        return Roi(0, height, 0, width, found=False)
    ys, xs = [y for y, _ in breast], [x for _, x in breast]
    top, bottom, left, right = min(ys), max(ys) + 1, min(xs), max(xs) + 1
    if (bottom - top) * (right - left) < settings.auto.min_area * len(means):
        return Roi(0, height, 0, width, found=False)
    columns = -(-width // block)
    rights, lefts = sum(x >= columns - columns // 2 for x in xs), sum(x < columns // 2 for x in xs)
    up, side = (int(n * block * settings.auto.margin) for n in (bottom - top, right - left))
    return Roi(
        max(0, top * block - up),
        min(height, bottom * block + up),
        max(0, left * block - side),
        min(width, right * block + side),
        settings.mirror == "chest-left" and rights > lefts,
    )


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(6, 600), st.integers(6, 40)),  # at least two blocks wide
    turn=st.booleans(),
    bright=st.floats(0.0, 0.6),
    threshold=st.sampled_from([0.04, 0.3]),
    min_area=st.sampled_from([0.0, 0.04]),
    seed=st.integers(0, 99),
)
def test_boxes_are_those_of_the_plain_reading(
    shape, turn, bright, threshold, min_area, seed
) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 30000, shape, np.uint16) * (random.random(shape) < bright)
    image = (image.T if turn else image).astype(np.uint16)  # not contiguous where it is turned
    settings = RoiSettings(auto=AutoSettings(threshold=threshold, margin=0.05, min_area=min_area))
    assert box_of(image, settings) == plain_box(image, settings)


def test_threads_do_not_mix_their_images() -> None:
    images = [half_ellipse((700, 500), (50, 300 + 30 * k, 200 + 9 * k), 30000) for k in range(12)]
    alone = [box_of(image) for image in images]
    assert len(set(alone)) == len(alone)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(box_of, images)) == alone
