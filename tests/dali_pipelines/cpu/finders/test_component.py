"""The largest component: by hand, and as stemgene finds it, by OpenCV."""

import cv2
import numpy as np
import pytest

from dali_pipelines.cpu.finders.component import find
from dali_pipelines.roi_settings import ComponentSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast

PLAIN = RoiSettings(method="component", mirror="none")


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_published_box(seed: int) -> None:
    image = drawn_breast((150 + 31 * seed, 120 + 17 * seed), seed, right=seed % 2 == 1)
    image[3:9, 40:60] = 65535  # a label
    lit = (image // 257 > 20).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(lit, connectivity=8)
    left, top, width, height, _ = parts[1 + parts[1:, cv2.CC_STAT_AREA].argmax()].tolist()
    assert find([image], PLAIN) == [Roi(top, top + height, left, left + width)]


def test_px_at_the_level_do_not_count_and_those_above_do() -> None:
    image = np.full((6, 8), 21 * 257 - 1, np.uint16)
    assert find([image], PLAIN) == [Roi(0, 6, 0, 8, found=False)]
    image[2, 3] = image[3, 4] = 21 * 257
    assert find([image], PLAIN) == [Roi(2, 4, 3, 5)]


def test_the_px_count_and_not_the_enclosed_area() -> None:
    image = np.zeros((30, 60), np.uint16)
    image[1:29, 1] = image[1:29, 20] = image[1, 1:21] = image[28, 1:21] = 65535  # a frame: 92 px
    image[5:16, 30:39] = 65535  # 99 px
    assert find([image], PLAIN) == [Roi(5, 16, 30, 39)]


@pytest.mark.parametrize("level", [-1, 255])
def test_a_level_beyond_the_range_is_refused(level: int) -> None:
    with pytest.raises(ValueError, match=r"roi\.component\.level"):
        ComponentSettings(level=level)
