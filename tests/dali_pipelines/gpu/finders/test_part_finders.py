"""Finders by connected parts, by kernels: the CPU's boxes on every image."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dali_pipelines.gpu.finders import otsu
from dali_pipelines.roi_settings import (
    ComponentSettings,
    ContourSettings,
    Method,
    RoiSettings,
)
from dali_pipelines.thumbnail_settings import OtsuSettings
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast
from tests.dali_pipelines.gpu.compared_boxes import boxes
from tests.dali_pipelines.gpu.real_device import on_device

pytestmark = pytest.mark.usefixtures("each_device")

METHODS: tuple[Method, ...] = ("contour", "component", "otsu")


def small(method: Method, **changes: Any) -> RoiSettings:
    """Constants that fit images of some hundred px."""
    return RoiSettings(
        method=method, mirror="none", otsu=OtsuSettings(**{"size": 48, "min_area": 0.01, **changes})
    )


@pytest.mark.parametrize("method", METHODS)
def test_breasts_of_many_sizes_in_one_batch(method: Method) -> None:
    shapes = [(300, 220), (97, 333), (260, 65), (64, 257), (31, 20), (130, 31)]
    images = [drawn_breast(shape, seed, right=seed % 2 == 0) for seed, shape in enumerate(shapes)]
    found = boxes(images, small(method))
    assert len({*found}) == len(shapes)
    assert all(one.found for one in found)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("level", [0, 257, 13 * 257 - 1, 13 * 257, 21 * 257, 65535])
def test_one_level_everywhere(method: Method, level: int) -> None:
    boxes([np.full((50, 70), level, np.uint16), np.full((1, 1), level, np.uint16)], small(method))


@pytest.mark.parametrize("method", METHODS)
@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    images=st.lists(
        arrays(np.uint16, array_shapes(min_dims=2, max_dims=2, max_side=30)),
        min_size=1,
        max_size=3,
    ),
    level=st.integers(0, 254),
    percentile=st.sampled_from([0.0, 50.0, 95.0, 100.0]),
    size=st.sampled_from([8, 17, 40]),
)
def test_any_image(
    method: Method, images: list[np.ndarray], level: int, percentile: float, size: int
) -> None:
    settings = RoiSettings(
        method=method,
        mirror="none",
        contour=ContourSettings(level),
        component=ComponentSettings(level),
        otsu=OtsuSettings(size, percentile, 0.04),
    )
    boxes(images, settings)


def test_the_last_row_and_column_are_dropped_where_there_are_more() -> None:
    settings = RoiSettings(method="contour", mirror="none", contour=ContourSettings(drop_last=True))
    images = [np.zeros((9, 12), np.uint16) for _ in range(4)]
    images[1][4, 2:6] = images[2][4:7, 3] = images[3][2:8, 2:9] = 65535
    found = [(roi.height, roi.width, roi.found) for roi in boxes(images, settings)]
    assert found == [(9, 12, False), (1, 3, True), (2, 1, True), (5, 6, True)]


@pytest.mark.parametrize("rubbish", [0, 1, 200])
def test_memory_holds_anything_before(rubbish: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        otsu, "empty", lambda shape, dtype: on_device(torch.full(shape, rubbish, dtype=dtype))
    )
    boxes([drawn_breast((90, 70), 2), np.zeros((9, 40), np.uint16)], small("otsu"))


def test_a_large_thumbnail_does_not_overflow() -> None:
    image = np.full((700, 650), 65535, np.uint16)
    image[100:600, 200:600] = 60000
    settings = RoiSettings(method="otsu", mirror="none", otsu=OtsuSettings(500, 100.0))
    boxes([image, 65535 - image], settings)
