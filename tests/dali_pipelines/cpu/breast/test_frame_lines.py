"""Which lines along the sides are frame, on images of block means drawn for it."""

import numpy as np
import pytest

from dali_pipelines.cpu.breast.frame_lines import TOLERANCE, inside_frame

SHAPE = (200, 128)  # a round takes at most 15 rows and 10 columns from a side


def picture() -> np.ndarray:
    """Levels 0 ... 60,000 that rise along each line, so that no line has one level."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (rows * 150 + columns * 230).astype(np.int64)


def test_a_picture_without_a_frame_keeps_all() -> None:
    assert inside_frame(picture()) == (0, 200, 0, 128)


@pytest.mark.parametrize("level", [0, 20000, 65535])
def test_each_side_has_a_depth_of_its_own(level: int) -> None:
    framed = picture()
    framed[:4] = framed[-15:] = framed[:, :1] = framed[:, -10:] = level
    assert inside_frame(framed) == (4, 185, 1, 118)


def test_a_frame_that_is_too_deep_is_picture() -> None:
    framed = picture()
    framed[:16] = 65535
    assert inside_frame(framed).top == 0


def test_a_line_of_the_frame_has_its_level_in_four_fifths() -> None:
    framed = picture()
    framed[0] = 65535
    for alike, cut in ((103, 1), (102, 0)):  # 102.4 of 128
        framed[0, alike:] = 30000
        assert inside_frame(framed).top == cut


def test_values_near_the_level_have_it() -> None:
    framed = picture()
    framed[0] = 40000
    framed[0, ::3] = 40000 + TOLERANCE
    framed[0, 1::3] = 40000 - TOLERANCE
    assert inside_frame(framed).top == 1
    framed[0, ::3] += 1
    assert inside_frame(framed).top == 0


def test_a_frame_ends_abruptly() -> None:
    framed = picture()
    framed[:3] = 65535
    mixed = 80  # of 128: more than three fifths, less than four
    framed[3, :mixed] = framed[4, :mixed] = 65535
    assert inside_frame(framed).top == 5  # mixed lines go with the frame, up to two of them
    framed[5, :mixed] = 65535
    assert inside_frame(framed).top == 0


def test_air_above_a_breast_is_no_frame() -> None:
    air = np.zeros(SHAPE, np.int64)
    rows, columns = np.mgrid[:200, :128]
    air[(rows - 100) ** 2 / 95**2 + columns**2 / 90**2 <= 1] = 30000
    assert inside_frame(air) == (0, 200, 0, 128)


def test_a_dark_strip_and_a_bright_line_go_one_after_the_other() -> None:
    framed = picture()
    framed[:, :7], framed[:, 7:9] = 0, 65535
    assert inside_frame(framed).left == 9


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (12, 12), (13, 1)])
def test_small_images_keep_a_picture(shape: tuple[int, int]) -> None:
    inside = inside_frame(np.zeros(shape, np.int64))
    assert inside == (0, shape[0], 0, shape[1])
