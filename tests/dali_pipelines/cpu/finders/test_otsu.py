"""Otsu on a thumbnail: step by step as the RSNA 2023 winner has it, by torch, NumPy and OpenCV."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from dali_pipelines.cpu.finders.otsu import find
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi
from dali_pipelines.thumbnail_settings import OtsuSettings
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast

PLAIN = RoiSettings(method="otsu", mirror="none")


def small(size: int = 64, **changes: Any) -> RoiSettings:
    return RoiSettings(method="otsu", mirror="none", otsu=OtsuSettings(size, **changes))


def published(image: np.ndarray, size: int) -> Roi:
    """The box as published."""
    height, width = image.shape
    ratio = min(size / height, size / width)
    shrunk = torch.nn.functional.interpolate(
        torch.from_numpy(image / 257)[None, None],
        scale_factor=ratio,
        mode="bilinear",
        align_corners=False,
        recompute_scale_factor=True,
    )[0, 0].numpy()
    levels = shrunk.astype(np.uint8)
    levels[levels > np.percentile(levels, 95)] = levels.min()
    smooth = cv2.GaussianBlur(levels, (5, 5), 0)
    _, binary = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    binary = cv2.dilate(binary, np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(binary, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea, default=np.zeros((1, 1, 2), np.int32))
    if cv2.contourArea(contour) < 0.04 * levels.size:
        return Roi(0, height, 0, width, found=False)
    x, y, w, h = cv2.boundingRect(contour)
    left, top, right, bottom = (int(edge / ratio) for edge in (x, y, x + w, y + h))
    return Roi(top, min(height, bottom), left, min(width, right))


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_published_box(seed: int) -> None:
    image = drawn_breast((90 + 37 * seed, 300 - 17 * seed), seed, right=seed % 2 == 1)
    image[3:19, 40:60] = 65535  # a label
    (found,) = find([image], small())
    assert found == published(image, 64)
    assert found.found


@pytest.mark.parametrize("level", [0, 1, 257, 65535])
def test_one_level_everywhere(level: int) -> None:
    image = np.full((300, 300), level, np.uint16)
    (found,) = find([image], PLAIN)
    assert found == published(image, 416)
    assert found == Roi(0, 300, 0, 300, found=level >= 257)


def test_a_contour_must_be_large_enough() -> None:
    image = np.zeros((64, 64), np.uint16)
    image[10:24, 20:34] = 65535
    areas = {}
    for share in (0.03, 0.05, 0.9):
        (found,) = find([image], small(percentile=100, min_area=share))
        areas[share] = found.found
    # 14 x 14 px, one more on each side by the dilation; the Gaussian takes corners only.
    assert areas == {0.03: True, 0.05: True, 0.9: False}
    (found,) = find([image], small(percentile=100, min_area=0.0))
    assert (found.top, found.bottom, found.left, found.right) == (9, 25, 19, 35)


def test_px_above_the_percentile_become_the_least() -> None:
    image = np.zeros((64, 64), np.uint16)
    image[4:60, 4:40] = 8000
    image[20:30, 50:60] = 65535  # 2.4 % of the px
    (kept,) = find([image], small(percentile=100, min_area=0))
    (clipped,) = find([image], small(percentile=95, min_area=0))
    assert (kept.left, kept.right) == (49, 61)  # Otsu parts the brightest from all others
    assert (clipped.left, clipped.right) == (3, 41)


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (5, 3)])
def test_the_box_of_any_image_has_px(shape: tuple[int, int]) -> None:
    image = np.zeros(shape, np.uint16)
    image[-1, -1] = 65535
    (found,) = find([image], small(percentile=100, min_area=0))
    assert 0 <= found.top < found.bottom <= shape[0]
    assert 0 <= found.left < found.right <= shape[1]


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"size": 7}, r"roi\.otsu\.size"),
        ({"percentile": 101.0}, r"roi\.otsu\.percentile"),
        ({"min_area": 1.0}, "min_area"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        OtsuSettings(**values)
