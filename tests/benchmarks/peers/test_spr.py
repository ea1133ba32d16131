"""The winner's preprocessing on images small enough to work out by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.job import Job
from benchmarks.peers import spr

cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra bench)")


def test_values_are_spread_and_cut() -> None:
    """65535 / 3 = 21845; 2.9 of 3 would be 63350.5 and is cut."""
    assert spr.to_uint16(np.array([[10, 11, 13]], np.uint16)).tolist() == [[0, 21845, 65535]]
    assert spr.to_uint16(np.array([[0.0, 2.9, 3.0]])).tolist() == [[0, 63350, 65535]]


def test_the_largest_contour_is_cropped_and_all_else_is_black() -> None:
    """5 % of 255 is 12.75, so 12: 13 of 255 is breast and 12 is not."""
    image = np.zeros((20, 16), np.uint16)
    image[4:14, 2:9] = 13 * 257  # breast: 10 rows, 7 columns
    image[6, 4] = 65535
    image[16:19, 10:15] = 65535  # a marker, smaller
    image[4:14, 9] = 12 * 257  # dark border
    box = spr.find_breast(image)
    assert (box.top, box.bottom, box.left, box.right) == (4, 14, 2, 9)
    cropped = spr.crop(image, box)
    assert np.array_equal(cropped, image[4:14, 2:9])
    image[5, 3] = 0  # a hole inside the contour stays what it is
    assert spr.crop(image, spr.find_breast(image))[1, 1] == 0


def test_what_lies_in_the_box_but_outside_the_contour_is_black() -> None:
    image = np.zeros((12, 12), np.uint16)
    image[2:10, 2:4] = image[8:10, 2:10] = 60000  # an L
    image[3:6, 6:9] = 50000  # in the corner of its box
    cropped = spr.crop(image, spr.find_breast(image))
    assert cropped.shape == (8, 8)
    assert cropped[1:4, 4:7].max() == 0
    assert cropped[0, 0] == 60000


@pytest.mark.parametrize(
    ("shape", "canvas", "corner"),
    [((10, 3), (10, 5), (0, 1)), ((10, 6), (12, 6), (1, 0)), ((4, 6), (12, 6), (4, 0))],
)
def test_the_canvas_is_twice_as_high_as_wide(
    shape: tuple[int, int], canvas: tuple[int, int], corner: tuple[int, int]
) -> None:
    image = np.full(shape, 9, np.uint16)
    image[0, 0] = 7
    padded = spr.pad(image)
    assert padded.shape == canvas
    top, left = corner
    assert np.array_equal(padded[top : top + shape[0], left : left + shape[1]], image)
    assert (padded == 7).sum() == padded.size - image.size + 1


@pytest.mark.parametrize("syntax", ["jpeg_sv1", "raw"])
def test_a_phantom_becomes_two_png_files(
    make_job: Callable[..., Job], tmp_path: Path, syntax: str
) -> None:
    """The box is that of the largest region brighter than 12 of 255, found without OpenCV."""
    record = make_job(syntax, 1).records[0]
    spr.convert(record.location.path, tmp_path / "out")
    raw = cv2.imread(str(tmp_path / "out_raw.png"), cv2.IMREAD_UNCHANGED)
    assert (raw.dtype, raw.shape, raw.min(), raw.max()) == (np.uint16, (128, 104), 0, 65535)
    regions, _ = ndimage.label((raw / 65535 * 255).astype(np.uint8) > 12, np.ones((3, 3)))
    largest = np.bincount(regions.ravel())[1:].argmax()
    rows, columns = ndimage.find_objects(regions)[largest]
    box = spr.find_breast(raw)
    assert box[:4] == (rows.start, rows.stop, columns.start, columns.stop)
    final = cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED)
    assert (final.dtype, final.shape) == (np.uint16, (2048, 1024))
    breast = raw[regions == largest + 1]  # the view marker, which is brighter, is masked
    assert 0.9 * breast.max() < final.max() <= breast.max() < raw.max()
