"""The resize kernels with every fit, filter and rounding against their CPU twin, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.compared_resize import (
    assert_equal_bits,
    by_kernel,
    frame,
    guarded_page,
    picture,
)

pytestmark = pytest.mark.usefixtures("each_device")

FITS = ("pad", "pad-first", "width", "keep", "stretch")
FILTERS = ("area", "linear", "triangle")
VALUES = ResizeSettings(mean=0.0, std=1 / 65535)  # display values as they are
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "channels": 3}


def line(values: list[int], count: int, **changes) -> list[float]:
    """One row of px as one row of `count`."""
    image = np.array([values], np.uint16)
    settings = replace(VALUES, **{"size": (1, count), "fit": "stretch", **changes})
    return by_kernel([image], [frame(image)], settings)[0, 0, 0].tolist()


def test_hand_worked_numbers() -> None:
    assert line([0, 10, 30, 90, 0, 0, 8, 0], 2, filter="linear") == [20, 4]
    assert line([0, 70, 700, 7000], 2, filter="triangle") == pytest.approx([130, 3310])
    assert line([0, 70, 700, 7000], 2, fit="keep") == [0, 70]
    assert line([0, 70, 700, 7000], 2, fit="keep", align="center") == [70, 700]
    assert line([1, 2, 3, 4], 2, bits=16) == [2, 4]  # 1.5 and 3.5 to the even
    assert line([1, 2, 3, 4], 2, bits=16, rounding="down") == [1, 3]
    assert line([256, 257, 385, 386], 4, bits=8) == [257, 257, 257, 514]
    assert line([256, 257, 385, 386], 4, bits=8, rounding="down") == [0, 257, 257, 257]


def test_pad_first_adds_black_before_it_resizes() -> None:
    white = np.full((4, 2), 60000, np.uint16)  # made 4 x 4, then 2 x 2 px of four each
    settings = replace(VALUES, size=(2, 2), fit="pad-first")
    assert by_kernel([white], [frame(white)], settings)[0, 0].tolist() == [[60000, 0]] * 2
    centered = replace(settings, align="center")
    assert by_kernel([white], [frame(white)], centered)[0, 0].tolist() == [[30000, 30000]] * 2


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((131, 97), (67, 35)),  # past one tile, both ways
        ((40, 200), (66, 40)),  # wider than its place
        ((200, 40), (40, 66)),  # higher than its place
        ((13, 7), (70, 38)),
        *(((5, 9), (1, 1)), ((1, 1), (3, 5)), ((1, 300), (9, 4)), ((300, 1), (4, 9))),
    ],
)
def test_twins_agree_to_the_bit(shape, size, fit, kind) -> None:
    image = picture(*shape)
    boxes = [frame(image), frame(image, mirror=True)]
    for align in ("left", "center"):
        settings = ResizeSettings(size=size, fit=fit, align=align, filter=kind, **IMAGENET)
        assert_equal_bits([image, image], boxes, settings)


@pytest.mark.parametrize(
    ("kind", "kernel"), [("area", "resize"), ("linear", "resize"), ("triangle", "resize_triangle")]
)
def test_a_batch_is_one_launch(each_device, kind: str, kernel: str) -> None:
    images = [picture(*shape) for shape in [(90, 61), (1, 1), (17, 250)]]
    boxes = [Roi(0, 50, 0, 40), Roi(0, 1, 0, 1), Roi(3, 11, 60, 199, mirror=True)]
    assert_equal_bits(images, boxes, ResizeSettings(size=(40, 34), fit="pad-first", filter=kind))
    assert each_device.launched == [("resize", kernel)]


@given(data=st.data())
@hypothesis_settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
def test_twins_agree_on_any_box_and_settings(data) -> None:
    def cut(length: int) -> tuple[int, int]:
        low = data.draw(st.integers(0, length - 1))
        return low, data.draw(st.integers(low + 1, length))

    image = picture(data.draw(st.integers(1, 150)), data.draw(st.integers(1, 300)))
    box = Roi(*cut(image.shape[0]), *cut(image.shape[1]), data.draw(st.booleans()))
    settings = ResizeSettings(
        size=(data.draw(st.integers(1, 80)), data.draw(st.integers(1, 70))),
        fit=data.draw(st.sampled_from(FITS)),
        align=data.draw(st.sampled_from(["left", "center"])),
        filter=data.draw(st.sampled_from(FILTERS)),
        bits=data.draw(st.sampled_from([None, 8, 16])),
        rounding=data.draw(st.sampled_from(["nearest", "down"])),
        **data.draw(st.sampled_from([{}, {"mean": 0.0}, IMAGENET])),
    )
    assert_equal_bits([image], [box], settings)


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("shape", [(2, 16384), (16384, 2)])
def test_no_factor_is_too_large(shape: tuple[int, int], kind: str) -> None:
    image = picture(*shape)
    settings = replace(VALUES, size=(1, 1), fit="stretch", filter=kind)
    assert_equal_bits([image], [frame(image)], settings)


@pytest.mark.parametrize("bits", [8, 16])
def test_sums_above_white_are_white(bits: int) -> None:
    white = np.full((1, 51859), 65535, np.uint16)  # in float32 they sum to 65583.4
    settings = replace(VALUES, size=(1, 1), fit="stretch", bits=bits)
    assert by_kernel([white], [frame(white)], settings).item() == 65535


@pytest.mark.parametrize("each_device", ["host"], indirect=True)
@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(1, 1), (7, 3), (70, 200)])
def test_nothing_outside_the_image_is_read(size, fit, kind) -> None:
    """A read past either end of the page ends the run of the tests with a segmentation fault."""
    image = guarded_page()
    boxes = [frame(image), frame(image, mirror=True)]
    for align in ("left", "center"):
        settings = ResizeSettings(size=size, fit=fit, align=align, filter=kind)
        assert_equal_bits([image, image], boxes, settings)
