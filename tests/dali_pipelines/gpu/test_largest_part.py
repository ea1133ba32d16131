"""The largest part of a mask by kernels: box, size and px of cpu/parts.py, on shapes that wind."""

from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dali_pipelines.cpu.parts import largest_part as cpu_largest_part
from dali_pipelines.gpu import largest_part as module
from dali_pipelines.gpu.largest_part import Frame, largest_part
from tests.dali_pipelines.gpu.compared_boxes import SPIRAL_ROWS
from tests.dali_pipelines.gpu.real_device import on_device, on_host

pytestmark = pytest.mark.usefixtures("each_device")

By = Literal["px", "area"]
BOTH: tuple[By, ...] = ("px", "area")


def check(masks: list[np.ndarray], by: By) -> list[list[int]]:
    """Boxes of the largest parts, after a look that the CPU finds the same boxes and px."""
    images = [on_device(np.ascontiguousarray(mask) * np.uint16(7)) for mask in masks]
    found, kept = largest_part(images, 6, by)
    boxes = on_host(found).tolist()
    words = on_host(kept.words)
    for mask, box, first in zip(masks, boxes, kept.firsts.tolist(), strict=True):
        height, width = mask.shape
        rows = words[first : first + height * -(-width // 32)].reshape(height, -1)
        bits = np.unpackbits(rows.view(np.uint8), axis=1, bitorder="little")
        part = cpu_largest_part(mask, by)
        if part is None:
            assert box == [0, height, 0, width, 0, 0]
            assert not bits.any()
            continue
        assert box == [part.top, part.bottom, part.left, part.right, 0, 1]
        assert np.array_equal(bits[:, :width], part.mask(height, width))
        assert not bits[:, width:].any()
    return boxes


def speckle(shape: tuple[int, int], share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < share


def drawn(*rows: str) -> np.ndarray:
    return np.array([list(row) for row in rows]) == "#"


SPIRAL = drawn(*SPIRAL_ROWS)
COMB = drawn("#.#.#.#.#.#.#", "#.#.#.#.#.#.#", "#.#.#.#.#.#.#", "#############")
DIAGONALS = drawn("...#....#", "..#.#..#.", ".#...##..", "#........")


def rings(count: int, edge: int) -> np.ndarray:
    """Rings one px wide inside of each other, a px apart."""
    lit = np.zeros((edge, edge), bool)
    for k in range(count):
        lit[2 * k : edge - 2 * k, 2 * k : edge - 2 * k] = True
        lit[2 * k + 1 : edge - 2 * k - 1, 2 * k + 1 : edge - 2 * k - 1] = False
    return lit


@pytest.mark.parametrize("by", BOTH)
@pytest.mark.parametrize("share", [0.03, 0.4, 0.6, 0.97])
def test_speckle_of_many_sizes_in_one_batch(share: float, by: By) -> None:
    shapes = [(1, 1), (1, 200), (70, 1), (33, 32), (35, 31), (40, 64), (64, 65), (90, 97)]
    boxes = check([speckle(shape, share, seed) for seed, shape in enumerate(shapes)], by)
    assert len({tuple(box) for box in boxes}) > len(shapes) // 2


@pytest.mark.parametrize("by", BOTH)
def test_how_many_launches_does_not_depend_on_the_px(by: By, each_device) -> None:
    check([np.zeros((20, 30), bool)], by)
    launched = list(each_device.launched)
    each_device.launched.clear()
    check([speckle((50, 70), 0.5), rings(8, 40)], by)
    assert each_device.launched == launched
    assert len(launched) == {"px": 7, "area": 8}[by]


@pytest.mark.parametrize("part", [SPIRAL, COMB, DIAGONALS], ids=["spiral", "comb", "diagonals"])
@pytest.mark.parametrize("by", BOTH)
def test_a_winding_part_stays_in_one_piece(part: np.ndarray, by: By) -> None:
    turned = [np.rot90(part[:, ::-1] if turn > 3 else part, turn) for turn in range(8)]
    boxes = check([np.pad(one, ((0, 0), (29, 5))) for one in turned], by)
    if by == "px":
        sizes = [np.ptp(np.argwhere(one), axis=0) + 1 for one in turned]
        assert [[b[1] - b[0], b[3] - b[2]] for b in boxes] == [size.tolist() for size in sizes]


def test_a_part_is_filled_with_all_that_lies_in_it() -> None:
    nested = rings(9, 37)
    nested[0, 18] = False  # the outer ring is open: its bay is no hole
    assert check([rings(9, 37), nested], "area") == [[0, 37, 0, 37, 0, 1], [2, 35, 2, 35, 0, 1]]


def test_parts_do_not_cross_at_corners() -> None:
    diamond = drawn(".##.", "#..#", "#..#", ".##.")
    wide = np.tile(np.pad(diamond, ((0, 0), (0, 1))), (1, 9))  # over words of 32
    boxes = check([diamond, wide, ~wide], "area")
    assert boxes[0] == [0, 4, 0, 4, 0, 1]


def test_a_checkerboard_is_one_part() -> None:
    board = np.indices((40, 70)).sum(axis=0) % 2 == 1
    for by in BOTH:
        assert check([board], by) == [[0, 40, 0, 70, 0, 1]]


def test_of_equal_parts_the_first_in_reading_order_is_taken() -> None:
    dots = np.zeros((70, 140), bool)
    dots[3::2, 45::2] = True
    for by in BOTH:
        assert check([dots], by) == [[3, 4, 45, 46, 0, 1]]


@pytest.mark.parametrize("by", BOTH)
@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    masks=st.lists(
        arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=10)), min_size=1, max_size=3
    ),
    wider=st.sampled_from([1, 5, 17]),
)
def test_any_mask(by: By, masks: list[np.ndarray], wider: int) -> None:
    check([mask.repeat(wider, axis=1) for mask in masks], by)


@pytest.mark.parametrize("rubbish", [0, 1, -1, 77])
def test_memory_holds_anything_before(rubbish: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module,
        "empty",
        lambda shape, dtype: on_device(torch.full(shape, rubbish, dtype=dtype)),
    )
    for by in BOTH:
        check([speckle((40, 70), 0.6), np.zeros((40, 70), bool)], by)


def test_boxes_may_be_for_another_frame() -> None:
    lit = np.zeros((30, 40), bool)
    lit[5:9, 10:31] = True  # encloses 3 * 20, twice that is 120
    image = on_device(lit.astype(np.uint16))
    frames = [
        Frame(60, 80, 0.5),
        Frame(100, 60, 0.3, 120),
        Frame(60, 80, 0.5, 121),
        Frame(2, 2, 30.0),
    ]
    boxes, _ = largest_part([image] * 4, 0, "area", frames)
    assert on_host(boxes).tolist() == [
        [10, 18, 20, 62, 0, 1],
        [16, 30, 33, 60, 0, 1],  # 5 / 0.3, 9 / 0.3, 10 / 0.3, cut at the frame
        [0, 60, 0, 80, 0, 0],
        [0, 1, 0, 1, 0, 1],  # at least one px
    ]
