"""Places in the network's image and in the file: by hand, there and back, found in pixels."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dali_pipelines.frame_cut import to_file_px
from dali_pipelines.original_px import to_file, to_network
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.recipe import Recipe, load_recipe, recipe_names
from dali_pipelines.records import StreamInfo
from dali_pipelines.stages import Roi
from tests.dali_pipelines.marked_phantoms import Marked, find_spots, write_marked


def recipe(size: tuple[int, int], fit: str, align: str = "left") -> Recipe:
    return Recipe("any", resize=ResizeSettings(size, fit, align))  # type: ignore[arg-type]


def in_file(place: tuple[float, ...], roi: Roi, *how: object) -> list[float]:
    return to_file(np.array(place, float), roi, recipe(*how)).tolist()


@pytest.mark.parametrize(
    ("place", "roi", "how", "wanted"),
    [
        # 200 x 100 px become 100 x 50: 2 px of the file each, padded at the right only
        ((10, 5), Roi(30, 230, 7, 107), ((100, 80), "pad"), (50, 17)),
        # mirrored: column 5 of the network is 10 px left of the box's right edge
        ((10, 5), Roi(30, 230, 7, 107, mirror=True), ((100, 80), "pad"), (50, 97)),
        # centered: 15 columns of padding at the left
        ((10, 20), Roi(30, 230, 7, 107), ((100, 80), "pad", "center"), (50, 17)),
        # widened from 100 to 160 columns first, 30 of them at the left: 0 is 30 px beside the box
        ((0, 0), Roi(0, 200, 100, 200), ((100, 80), "pad-first", "center"), (0, 70)),
        # 1120 rows at full width, of which the middle 224 are kept: 448 rows above are cut off
        ((0, 0), Roi(0, 500, 0, 100), ((224, 224), "width", "center"), (200, 0)),
        ((3, 4), Roi(10, 20, 30, 40), ((30, 30), "keep"), (3, 34)),  # 10 rows of padding above
        ((3, 4), Roi(0, 300, 0, 100), ((100, 50), "stretch"), (9, 8)),
    ],
)
def test_a_point_in_px_of_the_file(place, roi, how, wanted) -> None:
    assert in_file(place, roi, *how) == pytest.approx(wanted)


def test_a_mirrored_box_has_its_corners_in_order() -> None:
    box = in_file((10, 5, 20, 15), Roi(0, 200, 0, 100, mirror=True), (100, 80), "pad")
    assert box == pytest.approx((20, 70, 40, 90))


def test_without_wavelet_levels_a_sample_stands_at_its_even_px() -> None:
    # samples of 4 px each: number 10 is px 40 of the file, whose middle is at 40.5
    roi = Roi(0, 400, 0, 200, reduce=2)
    assert in_file((10.5, 10.5), roi, (100, 50), "stretch") == pytest.approx((40.5, 40.5))


def test_a_box_that_ends_within_the_last_sample_was_wider_when_it_was_decoded() -> None:
    stream = StreamInfo("j2k", 401, 201, 1, 12, signed=False)
    decoded = Roi(0, 101, 0, 51)  # 401 / 4 and 201 / 4, rounded up
    roi = to_file_px(decoded, 2, stream, DecodeSettings(reduce=2))
    assert (roi.bottom, roi.right, roi.reduce) == (401, 201, 2)
    assert in_file((100.5, 50.5), roi, (101, 51), "stretch") == pytest.approx((400.5, 200.5))


@given(
    box=st.tuples(*[st.integers(0, 3000), st.integers(1, 6000)] * 2),
    mirror=st.booleans(),
    reduce=st.integers(0, 3),
    size=st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    fit=st.sampled_from(["pad", "pad-first", "width", "keep", "stretch"]),
    align=st.sampled_from(["left", "center"]),
    places=st.lists(
        st.tuples(*[st.floats(0, 1)] * 4).map(lambda p: (*p[:2], p[0] + p[2], p[1] + p[3])),
        max_size=3,
    ),
)
def test_there_and_back_is_the_same_place(box, mirror, reduce, size, fit, align, places) -> None:
    top, height, left, width = box
    roi = Roi(top, top + height, left, left + width, mirror=mirror, reduce=reduce)
    how = recipe(size, fit, align)
    boxes = np.array(places, float).reshape(-1, 4) * [*size, *size]
    assert to_network(to_file(boxes, roi, how), roi, how) == pytest.approx(boxes, abs=1e-6)
    for corner in (boxes[..., :2], boxes[..., 2:]):
        assert to_network(to_file(corner, roi, how), roi, how) == pytest.approx(corner, abs=1e-6)


@given(
    box=st.tuples(
        st.integers(0, 300), st.integers(1, 600), st.integers(0, 300), st.integers(1, 600)
    ),
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    fit=st.sampled_from(["pad", "pad-first", "width", "keep", "stretch"]),
    align=st.sampled_from(["left", "center"]),
)
def test_mirrored_is_reflected_in_the_middle_of_the_box(box, size, fit, align) -> None:
    top, height, left, width = box
    plain = Roi(top, top + height, left, left + width)
    mirrored = Roi(top, top + height, left, left + width, mirror=True)
    point = np.array([size[0] / 3, size[1] / 3])
    how = recipe(size, fit, align)
    one, other = to_file(point, plain, how), to_file(point, mirrored, how)
    assert other.tolist() == pytest.approx([one[0], 2 * left + width - one[1]])


@pytest.fixture(scope="module", params=[3, 13])
def marked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Marked:
    settings = PhantomSettings(patients=4, height=640, width=512, syntax="raw", seed=5)
    return write_marked(tmp_path_factory.mktemp("marked"), settings, request.param, width_px=8)


@pytest.mark.parametrize("name", recipe_names())
def test_spots_in_prepared_pixels_come_back_to_their_px(name: str, marked: Marked) -> None:
    chosen = load_recipe(name)
    found, roi = find_spots(marked, chosen)
    assert farthest(to_file(found, roi, chosen), marked.spots) < 0.1
    assert farthest(to_network(marked.spots, roi, chosen), found) < 0.25


def test_a_wrong_mirror_is_noticed(marked: Marked) -> None:
    chosen = load_recipe("demo")
    found, roi = find_spots(marked, chosen)
    turned = Roi(roi.top, roi.bottom, roi.left, roi.right, mirror=not roi.mirror)
    assert farthest(to_file(found, turned, chosen), marked.spots) > 10


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_spots_come_back_through_left_out_levels(levels: int, tmp_path: Path) -> None:
    settings = PhantomSettings(patients=4, height=1283, width=1029, syntax="j2k", seed=5)
    marked = write_marked(tmp_path, settings, number=3, width_px=14)
    chosen = load_recipe("demo", [f"decode.reduce={levels}", "decode.cut=3"])
    found, roi = find_spots(marked, chosen)
    assert roi.reduce == levels
    assert farthest(to_file(found, roi, chosen), marked.spots) < 0.25


def farthest(some: np.ndarray, others: np.ndarray) -> float:
    """The largest of the distances in px, along an axis, from a place to the nearest other one."""
    return float(np.abs(some[:, None] - others).max(axis=-1).min(axis=0).max())
