"""The breast box by kernels: the CPU's on every image, and by hand where that is plain."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dali_pipelines.cpu.roi import roi as cpu_roi
from dali_pipelines.gpu.finders import auto as module
from dali_pipelines.gpu.roi import roi
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.compared_boxes import EXACT, boxes
from tests.dali_pipelines.gpu.real_device import on_device
from tests.disturbed_phantoms import DISTURBANCES, disturb, draw_case
from tests.drawn_breasts import half_ellipse, pictures

pytestmark = pytest.mark.usefixtures("each_device")

ANY_AREA = RoiSettings(auto=AutoSettings(min_area=0.0))


def breast(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    """A grainy breast of any size."""
    height, width = shape
    image = half_ellipse(shape, (height // 8, height - height // 9, width // 2 + 1), 30000)
    return image + np.random.default_rng(seed).integers(0, 3000, shape).astype(np.uint16)


@pytest.mark.parametrize("kind", range(len(DISTURBANCES) + 1))
def test_disturbed_phantoms(kind: int) -> None:
    case = disturb(draw_case(4 * kind + 1, 256, 208), kind, np.random.default_rng(kind))
    (found,) = boxes([case.display], RoiSettings())
    assert found.found
    assert found.mirror == case.box.mirror


def test_images_of_many_sizes_go_in_two_launches(each_device) -> None:
    shapes = [(1, 1), (300, 1), (1, 1000), (513, 31), (256, 257), (2, 2), (40, 400), (77, 3)]
    images = [breast(shape, seed) for seed, shape in enumerate(shapes)]
    together = boxes(images, ANY_AREA)
    assert each_device.launched == [("block_means", "block_means"), ("breast", "find_breast")]
    assert together == [boxes([image], ANY_AREA)[0] for image in images]


def test_blocks_of_the_largest_size_do_not_overflow() -> None:
    image = np.zeros((65535, 300), np.uint16)
    image[:32768, :256] = 65535  # a whole block adds up to 2**32 - 65536
    boxes([image], ANY_AREA)


@pytest.mark.parametrize("level", [0, 20000, 65535])
def test_one_level_everywhere(level: int) -> None:
    (only,) = boxes([np.full((300, 200), level, np.uint16)])
    assert only == Roi(0, 300, 0, 200, found=False)


def test_memory_holds_anything_before(monkeypatch: pytest.MonkeyPatch) -> None:
    image = [breast((70, 90))]
    clean = boxes(image)
    assert clean[0].found
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
    image = breast((300, width), 5)
    memory = on_device(torch.zeros(image.size + 16, dtype=torch.uint16))
    start = -memory.data_ptr() // 2 % 8 + offset
    display = memory[start : start + image.size].view(image.shape)
    display.copy_(torch.from_numpy(image))
    assert display.data_ptr() % 16 == 2 * offset
    assert list(roi([display], EXACT)) == cpu_roi([image], EXACT)


def test_the_margin_is_a_share_in_double_precision() -> None:
    image = np.zeros((250, 250), np.uint16)
    image[60:160, 70:170] = 65535
    settings = RoiSettings(auto=AutoSettings(margin=0.29))  # times 100 is 28.999..., in float32 29
    (found,) = boxes([image], settings)
    assert (found.top, found.bottom, found.left, found.right) == (32, 188, 42, 198)


@pytest.mark.parametrize("side", ["left", "middle", "right"])
@pytest.mark.parametrize("columns", [64, 65])
def test_what_lies_right_is_mirrored(side: str, columns: int) -> None:
    image = np.zeros((80, columns), np.uint16)
    first = {"left": 0, "middle": columns // 2 - 10, "right": columns // 2 - 9}[side]
    last = columns - first if side == "middle" else first + 30
    image[20:60, first:last] = 40000
    (found,) = boxes([image], ANY_AREA)
    assert found.mirror is (side == "right")


def test_a_box_must_be_large_enough() -> None:
    image = np.zeros((100, 100), np.uint16)
    image[40:60, 50:75] = 40000  # 500 of 10,000 blocks
    for least, found in ((0.05, True), (np.nextafter(0.05, 1), False)):
        settings = RoiSettings(auto=AutoSettings(margin=0.0, min_area=float(least)))
        assert boxes([image], settings)[0].found is found


@hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    images=st.lists(pictures(longest=90), min_size=1, max_size=3),
    auto=st.builds(
        AutoSettings,
        threshold=st.floats(0.001, 0.249),
        margin=st.floats(0, 1),
        min_area=st.floats(0, 0.9),
    ),
)
def test_any_picture(images, auto) -> None:
    boxes(images, RoiSettings(auto=auto))
