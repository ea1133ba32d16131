"""The breast box on drawn images where the truth is known, and against a plain reading of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dali_pipelines.cpu.finders.auto import find
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.plain_auto import plain_box
from tests.disturbed_phantoms import DISTURBANCES, disturb, draw_case
from tests.drawn_breasts import half_ellipse, pictures

EXACT = RoiSettings(auto=AutoSettings(margin=0.0))


def box_of(image: np.ndarray, settings: RoiSettings = EXACT) -> Roi:
    (box,) = find([image], settings)
    return box


def edges(box: Roi) -> tuple[int, int, int, int]:
    return box.top, box.bottom, box.left, box.right


def assert_near(found: Roi, true: tuple[int, int, int, int], allowed: int) -> None:
    off = np.abs(np.subtract(edges(found), true))
    assert found.found
    assert (off <= allowed).all(), f"{found} is not {true}"


BREAST = half_ellipse((1024, 800), (100, 900, 500), 30000)  # blocks of 4 x 4 px
TRUE = (100, 900, 0, 500)


def test_a_breast_is_boxed_to_within_two_blocks() -> None:
    assert_near(box_of(BREAST), TRUE, 8)
    assert not box_of(BREAST).mirror


def test_a_mirrored_breast_gives_the_mirrored_box() -> None:
    left, right = find([BREAST, BREAST[:, ::-1].copy()], EXACT)
    assert right.mirror
    assert (right.top, right.bottom) == (left.top, left.bottom)
    assert (800 - right.right, 800 - right.left) == (left.left, left.right)
    assert not box_of(BREAST[:, ::-1].copy(), RoiSettings(mirror="none")).mirror


def test_a_negative_gives_the_same_box() -> None:
    assert edges(box_of(65535 - BREAST)) == edges(box_of(BREAST))
    assert box_of((65535 - BREAST[:, ::-1]).astype(np.uint16)).mirror


@pytest.mark.parametrize("level", [500, 5000, 20000])
def test_any_background_is_background(level: int) -> None:
    assert box_of(np.maximum(BREAST, level).astype(np.uint16)) == box_of(BREAST)


@pytest.mark.parametrize("gap", [60, 1, -3])
def test_a_label_beside_the_breast_is_left_out(gap: int) -> None:
    labeled = BREAST.copy()
    labeled[480:520, 500 + gap : 700 + gap] = 65535  # ten blocks high
    assert_near(box_of(labeled), TRUE, 5 * 4)  # a stump of four blocks may stay


@pytest.mark.parametrize("depth", [3, 10, 30, 60])
@pytest.mark.parametrize("turns", range(4))
def test_a_bright_frame_is_left_out(depth: int, turns: int) -> None:
    framed = np.pad(BREAST, depth, constant_values=60000)
    for side in range(4):
        if side != turns:  # a frame on three sides
            np.rot90(framed, side)[:depth] = 0
    truth = tuple(edge + depth for edge in TRUE)
    whole = np.pad(BREAST, depth, constant_values=60000)
    block = -(-max(framed.shape) // 256)
    assert_near(box_of(whole), truth, 3 * block)
    assert_near(box_of(framed), truth, 3 * block)


@pytest.mark.parametrize("start", [0, 2, 30, 560, 782])
@pytest.mark.parametrize("width", [1, 6, 18])
def test_a_line_of_full_height_is_left_out(start: int, width: int) -> None:
    lined = BREAST.copy()
    lined[:, start : start + width] = 65535
    left = start + width if start == 0 else 0  # the line takes the place of the breast
    assert_near(box_of(lined), (100, 900, left, 500), 20)


def test_a_line_with_nothing_beyond_it_is_the_edge() -> None:
    lined = np.hstack([np.zeros((1024, 24), np.uint16), np.full((1024, 8), 65535), BREAST])
    assert_near(box_of(lined.astype(np.uint16)), (100, 900, 32, 532), 8)


def test_an_implant_changes_nothing() -> None:
    with_implant = np.where(half_ellipse((1024, 800), (300, 700, 300), 1), 65535, BREAST)
    assert box_of(with_implant.astype(np.uint16)) == box_of(BREAST)


def test_strips_of_padding_that_are_not_quite_black_are_left_out() -> None:
    padded = BREAST.copy()
    padded[:60], padded[:, 700:] = 2500, 2500
    assert_near(box_of(padded), TRUE, 8)


def test_an_abdomen_below_a_fold_is_left_out() -> None:
    abdomen = BREAST.copy()
    abdomen[896:, :24] = 20000
    assert_near(box_of(abdomen), TRUE, 5 * 4)


def test_the_margin_widens_and_stops_at_the_inner_edge_of_the_frame() -> None:
    tight, wide = box_of(BREAST), box_of(BREAST, RoiSettings(auto=AutoSettings(margin=0.1)))
    assert wide.left == 0
    assert tight.top - wide.top == int(tight.height * 0.1)
    assert wide.right - tight.right == int(tight.width * 0.1)
    framed = np.pad(BREAST, 20, constant_values=65535)  # a frame of 4 blocks of 5 px
    # Below, the frame begins within a block, at row 1044, and that block goes with it.
    assert edges(box_of(framed, RoiSettings(auto=AutoSettings(margin=1.0)))) == (20, 1040, 20, 820)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((300, 200), np.uint16),
        np.full((300, 200), 65535, np.uint16),
        np.pad(np.full((8, 8), 60000, np.uint16), ((0, 292), (0, 192))),
        np.random.default_rng(0).integers(20000, 60000, (300, 200)).astype(np.uint16),
    ],
    ids=["black", "white", "speck", "grain"],
)
def test_no_breast_gives_the_full_frame(image: np.ndarray) -> None:
    assert box_of(image) == Roi(0, 300, 0, 200, found=False)


def test_a_box_must_be_large_enough() -> None:
    area = box_of(BREAST).height * box_of(BREAST).width / BREAST.size
    for least, found in ((area - 0.001, True), (area + 0.001, False)):
        settings = RoiSettings(auto=AutoSettings(margin=0.0, min_area=least))
        assert box_of(BREAST, settings).found is found


@pytest.mark.parametrize("kind", range(len(DISTURBANCES) + 1))
def test_disturbed_phantoms(kind: int) -> None:
    """Two of each kind; the 750 of tests/evidence/test_boxes.py are judged as a whole."""
    for number in (4 * kind, 4 * kind + 3):
        case = disturb(draw_case(number, 512, 416), kind, np.random.default_rng(number))
        assert_near(box_of(case.display), edges(case.box), 14)
        assert box_of(case.display).mirror == case.box.mirror


@hypothesis_settings(max_examples=40, deadline=None)
@given(
    image=pictures(longest=60),
    threshold=st.sampled_from([0.004, 0.02, 0.2]),
    margin=st.sampled_from([0.0, 0.05]),
    min_area=st.sampled_from([0.0, 0.04, 0.5]),
)
def test_boxes_are_those_of_the_plain_reading(image, threshold, margin, min_area) -> None:
    settings = RoiSettings(auto=AutoSettings(threshold, margin, min_area))
    assert box_of(image, settings) == plain_box(image, settings)


@pytest.mark.parametrize("shape", [(150, 100), (300, 200)])  # the second in blocks of 2 x 2 px
def test_the_plain_reading_agrees_where_all_lengths_count(shape: tuple[int, int]) -> None:
    height, width = shape
    image = half_ellipse(shape, (height // 9, height * 4 // 5, width // 2), 30000)
    image[: height // 30], image[:, width * 3 // 4 : width * 3 // 4 + 2] = 50000, 40000
    image[height // 2 : height // 2 + 12, width // 2 - 2 :] = 65535
    assert box_of(image) == plain_box(image, EXACT)
    assert box_of(65535 - image[:, ::-1]) == plain_box(65535 - image[:, ::-1], EXACT)
