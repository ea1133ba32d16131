"""The largest contour: by hand, and as SPR's first place finds and masks it, by OpenCV."""

import cv2
import numpy as np
import pytest

from dali_pipelines.cpu.finders.contour import find
from dali_pipelines.roi_settings import ContourSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast

MASKED = RoiSettings(method="contour", mirror="none", contour=ContourSettings(mask=True))


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_published_box_and_mask(seed: int) -> None:
    image = drawn_breast((150 + 31 * seed, 120 + 17 * seed), seed, right=seed % 2 == 1)
    image[3:9, 40:60] = 65535  # a label
    image[60:64, 3:40] = 0  # a hole, or a bay
    levels = (image // 257).astype(np.uint8)
    contours, _ = cv2.findContours(
        (levels > 12).astype(np.uint8), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE
    )
    contour = max(contours, key=cv2.contourArea)
    left, top, width, height = cv2.boundingRect(contour)
    inside = cv2.drawContours(np.zeros_like(levels), [contour], -1, 1, cv2.FILLED)
    (found,) = find([image], MASKED)
    assert found == Roi(top, top + height, left, left + width)
    assert found.mask is not None
    assert np.array_equal(found.mask, inside > 0)


def test_px_at_the_level_do_not_count_and_those_above_do() -> None:
    image = np.zeros((9, 9), np.uint16)
    image[2:5, 3:8] = 13 * 257 - 1  # its upper 8 bits are 12
    assert find([image], MASKED) == [Roi(0, 9, 0, 9, found=False)]
    assert find([image], MASKED)[0].mask is None
    image[3:5, 4:8] += 1
    assert find([image], MASKED) == [Roi(3, 5, 4, 8)]
    low = RoiSettings(method="contour", mirror="none", contour=ContourSettings(level=11))
    assert find([image], low) == [Roi(2, 5, 3, 8)]
    assert find([image], low)[0].mask is None


def test_the_enclosed_area_counts_and_not_the_px() -> None:
    image = np.zeros((30, 60), np.uint16)
    image[1:29, 1] = image[1:29, 20] = image[1, 1:21] = image[28, 1:21] = 65535  # a frame
    image[5:20, 30:50] = 65535
    assert find([image], MASKED) == [Roi(1, 29, 1, 21)]


def test_the_last_row_and_column_may_be_dropped_where_there_are_more() -> None:
    settings = RoiSettings(method="contour", mirror="none", contour=ContourSettings(drop_last=True))
    image = np.zeros((9, 9), np.uint16)
    assert find([image], settings) == [Roi(0, 9, 0, 9, found=False)]
    image[4, 2:6] = 65535
    assert find([image], settings) == [Roi(4, 5, 2, 5)]
    image[5:7, 2:6] = 65535
    assert find([image], settings) == [Roi(4, 6, 2, 5)]


@pytest.mark.parametrize("level", [-1, 255])
def test_a_level_beyond_the_range_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=r"roi\.contour\.level"):
        ContourSettings(level=level)
