"""The resize kernel against its CPU twin, to the bit, and against numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dali_pipelines.gpu.boxes import DeviceRois, device_boxes
from dali_pipelines.gpu.resize import resize
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.compared_resize import (
    assert_equal_bits,
    by_cpu,
    by_kernel,
    frame,
    picture,
)
from tests.dali_pipelines.gpu.real_device import on_device

pytestmark = pytest.mark.usefixtures("each_device")

# How far a prepared value may be from the CPU's, as a share of 1 / std, the range from black to
# white. float32 needs none of it: it is equal to the bit. The half types are float32 rounded to
# nearest: bfloat16 keeps 8 significant bits, so where black is -1 and white is 1 it is at most half
# of the 2**-8 between neighbors off, 2**-9 of a range of 2, or 1e-3; float16 keeps 11, and is 8
# times nearer. 2e-3 also allows a range such as ImageNet's -2.1 ... 2.2: 2**-7 of 4.4, or 1.8e-3.
TOLERANCE = 2e-3

VALUES = ResizeSettings(mean=0.0, std=1 / 65535)  # display values as they are
RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4) * 1000


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (RAMP.tolist(), [[2500, 4500], [10500, 12500]]),  # means of two by two
        ([[0, 300, 900]], [[100, 700]]),  # (0 + 300 / 2) / 1.5 and (300 / 2 + 900) / 1.5
        ([[0, 8]], [[0, 2, 6, 8]]),  # linear between the centers of px
    ],
)
def test_hand_worked_numbers(image: list, expected: list) -> None:
    settings = replace(VALUES, size=np.shape(expected), fit="stretch")
    out = by_kernel([np.array(image, np.uint16)], [Roi(0, len(image), 0, len(image[0]))], settings)
    assert out[0, 0].numpy() == pytest.approx(np.array(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("length", "count", "edge", "border"),
    [  # edge * length / count is border, but in doubles edge * (length / count) is
        (45, 33, 22, 30),  # less
        (36, 28, 21, 27),  # more
    ],
)
@pytest.mark.parametrize("bright_first", [True, False])
def test_an_edge_lets_nothing_through(length, count, edge, border, bright_first) -> None:
    line = np.where((np.arange(length) < border) == bright_first, 65535, 0).astype(np.uint16)
    settings = replace(VALUES, size=(count, count), fit="stretch")
    images = [line[None], line[:, None]]
    across, down = by_kernel(images, [frame(image) for image in images], settings)[:, 0]
    assert torch.equal(across[0] > 0, (torch.arange(count) < edge) == bright_first)
    assert torch.equal(down, across.T)


@pytest.mark.parametrize("mirror", [False, True])
def test_factor_one_copies(mirror: bool) -> None:
    image = picture(70, 45)
    out = by_kernel([image], [frame(image, mirror)], replace(VALUES, size=image.shape))
    assert np.array_equal(out[0, 0].numpy(), image[:, ::-1] if mirror else image)


@pytest.mark.parametrize(("align", "column"), [("left", 0), ("center", 3)])
def test_padding_is_black_and_lies_where_align_says(align: str, column: int) -> None:
    white = np.full((10, 5), 65535, np.uint16)
    settings = ResizeSettings(size=(10, 12), align=align, std=0.25, channels=3)
    expected = np.full((10, 12), -2.0)
    expected[:, column : column + 5] = 2.0
    assert np.array_equal(by_kernel([white], [frame(white)], settings)[0], np.stack([expected] * 3))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("align", ["left", "center"])
@pytest.mark.parametrize("fit", ["pad", "stretch"])
@pytest.mark.parametrize(
    ("shape", "size"),
    [
        ((131, 97), (67, 35)),  # past one tile, both ways
        ((40, 200), (66, 40)),  # fewer columns, more rows
        ((200, 40), (40, 66)),  # fewer rows, more columns
        ((13, 7), (70, 38)),
        ((65, 33), (65, 33)),
        *(((5, 9), (1, 1)), ((1, 1), (3, 5)), ((1, 1), (1, 1)), ((1, 300), (9, 4))),
        *(((8, 5), (4, 99)), ((8, 7), (4, 99))),  # 2.5 and 3.5 columns: halves go to even
        *(((5, 8), (99, 4)), ((7, 8), (99, 4))),
    ],
)
def test_twins_agree_to_the_bit(shape, size, fit, align, channels) -> None:
    image = picture(*shape)
    settings = ResizeSettings(size=size, fit=fit, align=align, channels=channels)
    assert_equal_bits([image, image], [frame(image), frame(image, mirror=True)], settings)


@pytest.mark.parametrize("fit", ["pad", "stretch"])
def test_images_of_any_size_go_into_one_launch(each_device, fit: str) -> None:
    images = [picture(*shape) for shape in [(90, 61), (1, 1), (17, 250), (300, 8), (33, 33)]]
    boxes = [  # a corner, the px, an inner box, the last column, the last row
        *(Roi(0, 50, 0, 40), Roi(0, 1, 0, 1), Roi(3, 11, 60, 199, mirror=True)),
        *(Roi(0, 300, 7, 8), Roi(32, 33, 1, 33, mirror=True)),
    ]
    assert_equal_bits(images, boxes, ResizeSettings(size=(40, 34), fit=fit, mean=0.3, std=0.2))
    assert each_device.launched == [("resize", "resize")]


@given(data=st.data())
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_twins_agree_on_any_box_and_size(data) -> None:
    def cut(length: int) -> tuple[int, int]:
        low = data.draw(st.integers(0, length - 1))
        return low, data.draw(st.integers(low + 1, length))

    image = picture(data.draw(st.integers(1, 150)), data.draw(st.integers(1, 400)))
    box = Roi(*cut(image.shape[0]), *cut(image.shape[1]), data.draw(st.booleans()))
    settings = ResizeSettings(
        size=(data.draw(st.integers(1, 80)), data.draw(st.integers(1, 70))),
        fit=data.draw(st.sampled_from(["pad", "stretch"])),
        align=data.draw(st.sampled_from(["left", "center"])),
        mean=data.draw(st.floats(-1, 1)),
        std=data.draw(st.floats(0.01, 2)),
    )
    assert_equal_bits([image], [box], settings)


@pytest.mark.parametrize("shape", [(2, 16384), (16384, 2), (1500, 1501)])
def test_no_factor_is_too_large(shape: tuple[int, int]) -> None:
    image = picture(*shape)
    settings = replace(VALUES, size=(1, 1), fit="stretch")
    assert_equal_bits([image], [frame(image)], settings)
    found = by_kernel([image], [frame(image)], settings).item()
    assert found == pytest.approx(image.mean(), rel=1e-4)  # thousands of sums in float32


def test_the_slots_beside_keep_what_they_hold() -> None:
    ring = on_device(torch.full((3, 1, 4, 4), 7.0))
    resize([on_device(RAMP)], [frame(RAMP)], replace(VALUES, size=(4, 4)), ring[1:2])
    assert np.array_equal(ring[1, 0].cpu(), RAMP)
    assert (ring[::2] == 7).all()
    resize([], [], replace(VALUES, size=(4, 4)), ring[:0])


def test_boxes_on_the_device_stay_there() -> None:
    rois = DeviceRois(device_boxes([Roi(0, 4, 0, 2, mirror=True)]))
    out = on_device(torch.empty(1, 1, 4, 2))
    resize([on_device(RAMP)], rois, replace(VALUES, size=(4, 2)), out)
    assert np.array_equal(out[0, 0].cpu(), RAMP[:, 1::-1])
    assert "_rois" not in vars(rois)


@pytest.mark.parametrize(
    ("mean", "scale"),
    [
        (0.5, 2 / 65535),  # the default: -1 ... 1
        (0.0, 1.0),  # integers: halves of both types, past the largest float16
        (0.0, 2.0),  # past 2**16, where float16 ends
        (0.0, 2.0**-25),  # halves of the smallest float16
        (0.5, 2.0**-29),  # less than those
        (0.25, 2.0**-14),  # subnormal and normal float16
        (0.0, 5.19e33),  # up to the largest float32, past the largest bfloat16
        (0.0, 2.0**-133),  # subnormal bfloat16
    ],
)
def test_half_types_are_rounded_as_torch_rounds(mean: float, scale: float) -> None:
    every_value = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    settings = ResizeSettings(size=(256, 256), mean=mean, std=1 / (65535 * scale))
    exact = torch.from_numpy(by_cpu([every_value], [frame(every_value)], settings))
    for dtype in (torch.bfloat16, torch.float16):
        name = str(dtype).removeprefix("torch.")
        found = by_kernel([every_value], [frame(every_value)], replace(settings, dtype=name))
        assert torch.equal(found.view(torch.int16), exact.to(dtype).view(torch.int16))


def test_what_is_not_a_number_stays_so() -> None:
    settings = ResizeSettings(size=(4, 4), mean=0.0, std=1e-44)  # 0 * infinity, the rest infinite
    with np.errstate(over="ignore", invalid="ignore"):
        for dtype in ("float32", "bfloat16", "float16"):
            out = by_kernel([RAMP], [frame(RAMP)], replace(settings, dtype=dtype)).flatten()
            assert out[0].isnan()
            assert out[1:].isposinf().all()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.5), (0.485, 0.229)])
def test_every_type_is_the_rounded_sum_and_near_it(dtype: str, mean: float, std: float) -> None:
    image = picture(131, 97)
    settings = ResizeSettings(size=(67, 60), channels=3, mean=mean, std=std, dtype=dtype)
    found = by_kernel([image], [frame(image, mirror=True)], settings)
    exact = torch.from_numpy(by_cpu([image], [frame(image, mirror=True)], settings))
    assert torch.equal(found, exact.to(found.dtype))
    assert (found.float() - exact).abs().max() <= TOLERANCE / std


@pytest.mark.parametrize("shape", [(20, 10), (40, 20), (10, 5), (53, 26), (13, 6)])
def test_all_white_is_white(shape: tuple[int, int]) -> None:
    white = np.full(shape, 65535, np.uint16)
    settings = ResizeSettings(size=(20, 10), fit="stretch")
    levels = by_kernel([white], [frame(white)], settings)
    if shape[0] in {10, 20, 40}:  # a half, one and two are weights without rounding
        assert (levels == 1).all()
    assert (levels - 1).abs().max() <= 2.0**-22  # measured: 2 ulp of float32
    for dtype in ("bfloat16", "float16"):
        assert (by_kernel([white], [frame(white)], replace(settings, dtype=dtype)) == 1).all()
