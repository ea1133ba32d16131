"""The detector's edge cut off, and boxes brought back to the px of the file."""

import numpy as np
import pytest

from dali_pipelines.frame_cut import cut_frame, from_file_px, to_file_px
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.records import GivenBox, StreamInfo
from dali_pipelines.stages import Pixels, Roi


def stream(height, width):
    return StreamInfo("raw", height, width, 1, 12, signed=False)


def test_the_same_px_go_on_each_side():
    values = np.arange(12 * 10, dtype=np.uint16).reshape(12, 10)
    cut = cut_frame(Pixels(values, shift=4), DecodeSettings(cut=3))
    assert cut.shift == 4
    assert np.array_equal(cut.values, values[3:9, 3:7])
    assert np.shares_memory(cut.values, values)


def test_no_cut_is_the_image_itself():
    pixels = Pixels(np.zeros((4, 4), np.uint16))
    assert cut_frame(pixels, DecodeSettings()) is pixels


@pytest.mark.parametrize(
    ("shape", "left"), [((1, 1), (1, 1)), ((2, 9), (2, 1)), ((3, 10), (1, 2)), ((8, 20), (2, 14))]
)
def test_one_px_at_least_is_left(shape, left):
    pixels = Pixels(np.zeros(shape, np.uint16))
    cut = 6 if shape != (8, 20) else 3
    assert cut_frame(pixels, DecodeSettings(cut=cut)).values.shape == left


def test_boxes_are_brought_back_to_the_file():
    box = Roi(0, 90, 20, 40, mirror=True, found=False)
    back = to_file_px(box, 0, stream(100, 60), DecodeSettings(cut=5))
    assert back == Roi(5, 95, 25, 45, mirror=True, found=False)


@pytest.mark.parametrize("reduce", [0, 1, 2, 3])
@pytest.mark.parametrize("cut", [0, 1, 5, 30])
def test_of_fewer_levels_as_many_px_go_to_within_one_of_them(reduce, cut):
    height, width = 101, 67
    values = np.zeros((-(-height >> reduce), -(-width >> reduce)), np.uint16)
    settings = DecodeSettings(cut=cut)
    left = cut_frame(Pixels(values, reduce=reduce), settings).values.shape
    box = to_file_px(Roi(0, left[0], 0, left[1]), reduce, stream(height, width), settings)
    step = 1 << reduce
    for start, end, edge in ((box.top, box.bottom, height), (box.left, box.right, width)):
        assert cut <= start < cut + step
        assert edge - cut - 2 * step < end <= min(edge, edge - cut + step - 1)


def test_a_box_of_the_file_is_one_of_the_cut_image():
    box = from_file_px(GivenBox(20, 90, 8, 60, mirror=True), (100, 60), 0, DecodeSettings(cut=5))
    assert box == GivenBox(15, 85, 3, 50, mirror=True)  # the last 5 columns are cut off


def test_each_px_that_it_touches_counts_where_levels_are_left_out():
    box = from_file_px(GivenBox(9, 17, 8, 16), (25, 15), 2, DecodeSettings())
    assert box == GivenBox(2, 5, 2, 4)


@pytest.mark.parametrize(
    ("box", "inside"),
    [
        (GivenBox(0, 3, 0, 60), GivenBox(0, 1, 0, 50)),
        (GivenBox(98, 100, 57, 60), GivenBox(89, 90, 49, 50)),
    ],
)
def test_of_a_box_in_the_edge_one_px_remains(box, inside):
    assert from_file_px(box, (100, 60), 0, DecodeSettings(cut=5)) == inside


@pytest.mark.parametrize("cut", [0, 4])
def test_a_found_box_given_by_hand_is_the_same(cut):
    settings, found = DecodeSettings(cut=cut), Roi(3, 40, 0, 17, mirror=True)
    back = to_file_px(found, 1, stream(101, 67), settings)
    given = GivenBox(back.top, back.bottom, back.left, back.right, mirror=True)
    assert Roi(0, 1, 0, 1).given(from_file_px(given, (51, 34), 1, settings)) == found
