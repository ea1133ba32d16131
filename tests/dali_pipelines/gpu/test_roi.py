"""The breast box by kernels: the CPU's on every image, and by hand where that is plain."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dali_pipelines.cpu.roi import roi as cpu_roi
from dali_pipelines.gpu import roi as module
from dali_pipelines.gpu.roi import roi
from dali_pipelines.phantom.patients import IMAGES, ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import draw_picture
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.compared_boxes import EXACT, box, boxes, drawn
from tests.dali_pipelines.gpu.real_device import on_device

pytestmark = pytest.mark.usefixtures("each_device")

LIT = 255 + int(0.04 * 65536) + 1  # the least level that is breast over a black background


def speckle(shape: tuple[int, int], seed: int, share: float = 0.4) -> np.ndarray:
    """Many parts of many levels."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 65536, shape)
    return np.where(rng.random(shape) < share, levels, levels // 512).astype(np.uint16)


def phantoms(number: int) -> list[np.ndarray]:
    """The four images of a woman, upright, over the whole display range."""
    settings = PhantomSettings(patients=4, prevalence=1.0, height=512, width=409, syntax="raw")
    patient = draw_patient(settings, number)
    images = []
    for index in range(len(IMAGES)):
        picture = draw_picture(settings, ImagePlan(patient, index))
        values = picture.values << (16 - picture.header.precision)
        inverted = picture.header.photometric == "MONOCHROME1"
        images.append(65535 - values if inverted else values)
    return images


# ---- whole images ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(3))
def test_phantoms_of_both_sides(number: int) -> None:
    found = boxes(phantoms(number), RoiSettings())
    assert all(one.found for one in found)
    assert [one.mirror for one in found] == [side == "R" for side, _ in IMAGES]


def test_images_of_many_sizes_go_in_two_launches(each_device) -> None:
    shapes = [(1, 1), (300, 1), (1, 1000), (513, 31), (256, 257), (2, 2), (40, 400), (77, 3)]
    images = [speckle(shape, seed) for seed, shape in enumerate(shapes)]
    wide = RoiSettings(auto=AutoSettings(margin=0.1))
    together = boxes(images, wide)
    assert each_device.launched == [("block_means", "block_means"), ("roi", "find_breast")]
    assert together == [
        boxes([image], RoiSettings(auto=AutoSettings(margin=0.1)))[0] for image in images
    ]


def test_blocks_of_the_largest_size_do_not_overflow() -> None:
    image = np.full((65535, 300), 65535, np.uint16)  # a whole block adds up to 2**32 - 65536
    image[:, 256:] = 0
    assert box(image) == (0, 65535, 0, 256)


@pytest.mark.parametrize(("level", "found"), [(0, False), (20000, False), (65535, True)])
def test_one_level_everywhere(level: int, found: bool) -> None:
    (only,) = boxes([np.full((300, 200), level, np.uint16)])
    assert only == Roi(0, 300, 0, 200, found=found)


def test_memory_holds_anything_before(monkeypatch: pytest.MonkeyPatch) -> None:
    image = [speckle((70, 90), 0)]
    clean = boxes(image)
    for rubbish in (0, 1, 77):
        monkeypatch.setattr(
            module,
            "empty",
            lambda shape, dtype, v=rubbish: on_device(torch.full(shape, v, dtype=dtype)),
        )
        assert boxes(image) == clean


@pytest.mark.parametrize("width", [16, 20, 18, 17])  # rows of 8, 4, 2 and 1 px at a time
@pytest.mark.parametrize("offset", [0, 1, 2, 4])
def test_images_may_start_anywhere(width: int, offset: int) -> None:
    image = speckle((300, width), 5)
    memory = on_device(torch.zeros(image.size + 16, dtype=torch.uint16))
    start = -memory.data_ptr() // 2 % 8 + offset
    display = memory[start : start + image.size].view(image.shape)
    display.copy_(torch.from_numpy(image))
    assert display.data_ptr() % 16 == 2 * offset
    assert list(roi([display], EXACT)) == cpu_roi([image], EXACT)


@pytest.mark.parametrize("images", [[], [np.zeros((3, 4), np.uint16)]])
def test_method_none_and_no_images_launch_nothing(images: list[np.ndarray], each_device) -> None:
    settings = RoiSettings(method="none" if images else "auto")
    assert boxes(images, settings) == [Roi(0, 3, 0, 4) for _ in images]
    assert each_device.launched == []


# ---- levels -----------------------------------------------------------------------------------


def test_the_threshold_is_above_the_background() -> None:
    image = np.zeros((6, 8), np.uint16)
    image[1, 1], image[4, 5:7] = LIT - 1, LIT
    assert box(image) == (4, 5, 5, 7)


def test_means_are_rounded_down() -> None:
    image = np.zeros((512, 512), np.uint16)  # blocks of 2 x 2
    image[10:12, 20:24] = LIT
    image[11, 21] -= 1
    assert box(image) == (10, 12, 22, 24)


def test_blocks_at_the_edge_are_means_of_what_they_hold() -> None:
    image = np.zeros((511, 301), np.uint16)
    image[510, 300] = LIT
    assert box(image) == (510, 511, 300, 301)


def test_of_equally_frequent_levels_the_darkest_is_background() -> None:
    image = np.array([[700] * 4 + [10000] * 4], np.uint16)  # levels 2 and 39 of 256
    assert box(image) == (0, 1, 4, 8)


def test_background_lies_in_the_darker_half() -> None:
    image = np.array([[32768] * 7 + [32767] * 2], np.uint16)
    assert boxes([image])[0] == Roi(0, 1, 0, 9, found=False)  # all within 0.04 of 32767


# ---- box --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "mirror"),
    [
        ("##...", False),
        ("...##", True),
        (".###.", False),
        ("####.", False),
        (".####", True),
        ("..###", True),
        (".##.", False),
    ],
)
def test_what_lies_right_is_mirrored(row: str, mirror: bool) -> None:
    settings = RoiSettings(auto=AutoSettings(margin=0, min_area=0))
    image = drawn(row, "." * len(row))
    assert boxes([image], settings)[0].mirror is mirror
    assert boxes([image])[0].mirror is False  # mirror "none"


def test_a_single_column() -> None:
    boxes([drawn("#", ".", ".")], RoiSettings(auto=AutoSettings(margin=0, min_area=0)))


def test_the_margin_is_a_share_in_double_precision() -> None:
    image = np.zeros((250, 250), np.uint16)
    image[60:160, 70:170] = 65535
    margin = 0.29  # times 100 is 28.999..., in single precision 29
    assert math.floor(100 * margin) == 28
    assert box(image, RoiSettings(auto=AutoSettings(margin=margin))) == (32, 188, 42, 198)


def test_the_margin_stops_at_the_frame() -> None:
    image = np.zeros((301, 403), np.uint16)  # blocks of 2 x 2, the last of one px
    image[2:301, 390:403] = 65535
    assert box(image, RoiSettings(auto=AutoSettings(margin=0.5, min_area=0))) == (0, 301, 383, 403)
    assert box(image, EXACT) == (2, 301, 390, 403)


@pytest.mark.parametrize(
    ("min_area", "found"),
    [(0.2, True), (math.nextafter(0.2, 1), False), (0.195, True), (0.205, False), (0.99, False)],
)
def test_a_box_must_be_large_enough(min_area: float, found: bool) -> None:
    image = np.zeros((10, 10), np.uint16)
    image[5, 5:10] = image[6:9, 9] = 65535  # 8 px in a box of 4 x 5
    (only,) = boxes([image], RoiSettings(auto=AutoSettings(margin=0, min_area=min_area)))
    assert only == (Roi(5, 9, 5, 10, mirror=True) if found else Roi(0, 10, 0, 10, found=False))


# ---- anything ---------------------------------------------------------------------------------


@hypothesis_settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    masks=st.lists(
        arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)), min_size=1, max_size=3
    ),
    factors=st.tuples(*[st.sampled_from([1, 2, 5, 27])] * 2),
    levels=st.tuples(*[st.integers(0, 65535)] * 2),
    settings=st.builds(
        RoiSettings,
        threshold=st.floats(0.001, 0.5),
        margin=st.floats(0, 1),
        min_area=st.floats(0, 0.9),
    ),
)
def test_any_mask(masks, factors, levels, settings) -> None:
    low, high = levels
    images = [np.kron(mask, np.ones(factors)) * high for mask in masks]
    boxes([np.maximum(image, low).astype(np.uint16) for image in images], settings)
