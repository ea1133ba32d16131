"""Where a box goes in the output, worked by hand for each fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dali_pipelines.geometry import Side, placement
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi


def sides(shape: tuple[int, int], size: tuple[int, int], fit: str, align: str = "center") -> tuple:
    """((before, count_in, count_out, corner) of the rows, of the columns)."""
    roi = Roi(7, 7 + shape[0], 3, 3 + shape[1])
    return tuple(map(tuple, placement(roi, ResizeSettings(size=size, fit=fit, align=align))))


@pytest.mark.parametrize(
    ("shape", "size", "rows", "columns"),
    [
        ((100, 30), (50, 40), (0, 100, 50, 0), (0, 30, 15, 12)),
        ((30, 100), (50, 40), (0, 30, 12, 19), (0, 100, 40, 0)),
        ((1000, 1), (50, 40), (0, 1000, 50, 0), (0, 1, 1, 19)),  # never less than one px
        ((5, 5), (50, 40), (0, 5, 40, 5), (0, 5, 40, 0)),  # it also enlarges
        ((100, 39), (50, 40), (0, 100, 50, 0), (0, 39, 19, 10)),  # 19.5, rounded down
        ((1643, 1341), (2048, 1024), (0, 1643, 1254, 397), (0, 1341, 1023, 0)),  # as torch does
    ],
)
def test_pad_keeps_the_aspect_and_pads_afterwards(shape, size, rows, columns) -> None:
    assert sides(shape, size, "pad") == (rows, columns)


@pytest.mark.parametrize(
    ("shape", "size", "rows", "columns"),
    [  # of SPR's first place: h x (h // 2) where h > 2 w, else (2 w) x w; the box at half the rest
        ((101, 30), (2048, 1024), (0, 101, 2048, 0), (10, 50, 1024, 0)),
        ((61, 40), (2048, 1024), (9, 80, 2048, 0), (0, 40, 1024, 0)),
        ((60, 30), (2048, 1024), (0, 60, 2048, 0), (0, 30, 1024, 0)),
        ((100, 39), (70, 40), (0, 100, 70, 0), (9, 57, 40, 0)),  # 100 * 40 / 70 = 57.1
        ((60, 39), (70, 40), (4, 68, 70, 0), (0, 39, 40, 0)),  # 39 * 70 / 40 = 68.25
    ],
)
def test_pad_first_widens_the_box_to_the_aspect(shape, size, rows, columns) -> None:
    assert sides(shape, size, "pad-first") == (rows, columns)


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ((500, 100), (0, 500, 1120, -448)),  # (1120 - 224) // 2 rows are cut off above
        ((301, 100), (0, 301, 674, -225)),  # 301 * 224 / 100 = 674.24
        ((50, 100), (0, 50, 112, 56)),
        ((1, 9000), (0, 1, 1, 111)),  # 111 rows above, 112 below
    ],
)
def test_width_fills_the_width_and_cuts_or_pads_the_height(shape, rows) -> None:
    assert sides(shape, (224, 224), "width") == (rows, (0, shape[1], 224, 0))


def test_keep_keeps_each_px() -> None:
    assert sides((100, 31), (60, 40), "keep") == ((0, 100, 100, -20), (0, 31, 31, 4))
    assert sides((101, 43), (60, 40), "keep") == ((0, 101, 101, -20), (0, 43, 43, -1))


def test_stretch_fills_the_frame() -> None:
    assert sides((100, 30), (50, 40), "stretch") == ((0, 100, 50, 0), (0, 30, 40, 0))


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [  # as the lecture: int(h / aspect - w) columns, or int((w * aspect - h) / 2) rows on each side
        ((100, 30), (0, 100, 50, 0), (0, 80, 40, 0)),
        ((30, 100), (47, 124, 50, 0), (0, 100, 40, 0)),  # 100 * 50 / 40 - 30 = 95
        ((5, 5), (0, 5, 50, 0), (0, 5, 40, 0)),  # 6.25 - 5
    ],
)
def test_pad_first_at_the_left_adds_as_many_rows_above_as_below(shape, rows, columns) -> None:
    assert sides(shape, (50, 40), "pad-first", "left") == (rows, columns)


@pytest.mark.parametrize("fit", ["pad", "width", "keep", "stretch"])
@pytest.mark.parametrize("shape", [(100, 30), (30, 100), (5, 5)])
def test_left_moves_the_columns_only(shape: tuple[int, int], fit: str) -> None:
    centered, left = (sides(shape, (50, 40), fit, align) for align in ("center", "left"))
    assert left[0] == centered[0]
    assert left[1] == (0, *centered[1][1:3], 0)


@given(
    shape=st.tuples(st.integers(1, 9000), st.integers(1, 9000)),
    size=st.tuples(st.integers(1, 16384), st.integers(1, 16384)),
    fit=st.sampled_from(["pad", "pad-first", "width", "keep", "stretch"]),
    align=st.sampled_from(["left", "center"]),
)
def test_the_box_lies_in_its_frame_and_shows_in_the_output(shape, size, fit, align) -> None:
    both = [Side(*side) for side in sides(shape, size, fit, align)]
    for side, box, count in zip(both, shape, size, strict=True):
        assert 0 <= side.before <= side.count_in - box
        assert side.corner < count
        assert side.corner + side.count_out > 0
        if fit in {"pad", "pad-first", "stretch"}:
            assert 0 <= side.corner <= count - side.count_out
        beside = side.count_in - side.before - box
        assert align == "left" or abs(side.before - beside) <= 1
