"""Finders by lines, and which pictures are turned, by kernels: the CPU's boxes on every image."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dali_pipelines.gpu import line_sums
from dali_pipelines.gpu.boxes import FIELDS, DeviceMasks, DeviceRois, device_boxes
from dali_pipelines.gpu.finders import mean_profile, profiles, run, window
from dali_pipelines.gpu.mirror import mirror
from dali_pipelines.gpu.roi import roi
from dali_pipelines.roi_settings import (
    MeanProfileSettings,
    Method,
    ProfileSettings,
    RoiSettings,
    RunSettings,
    WindowSettings,
)
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast
from tests.dali_pipelines.gpu.compared_boxes import boxes
from tests.dali_pipelines.gpu.real_device import on_device

pytestmark = pytest.mark.usefixtures("each_device")

METHODS: tuple[Method, ...] = ("profile", "run", "mean-profile", "window")
SMALL = {
    "profile": ProfileSettings(smooth=0.05),
    "mean_profile": MeanProfileSettings(buffer=3),
    "window": WindowSettings(size=(60, 40), erode=3, margin=4),
}


def small(method: Method, mirror: bool = True) -> RoiSettings:
    """Constants that fit images of some hundred px."""
    turn = "chest-left" if mirror else "none"
    return RoiSettings(method=method, mirror=turn, mirror_by="columns", mirror_share=0.2, **SMALL)


def noise(shape: tuple[int, int], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, shape).astype(np.uint16)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("turned", [False, True])
def test_breasts_of_many_sizes_in_one_batch(method: Method, turned: bool) -> None:
    shapes = [(300, 220), (97, 333), (260, 65), (64, 257), (11, 10), (130, 31)]
    images = [
        drawn_breast(shape, seed, right=seed % 2 == 0, background=1 + 2000 * (seed % 3))
        for seed, shape in enumerate(shapes)
    ]
    found = boxes(images, small(method, turned))
    assert len({*found}) == len(shapes)
    assert turned == any(one.mirror for one in found)


@pytest.mark.parametrize("method", METHODS)
def test_noise_and_single_lines(method: Method) -> None:
    shapes = [(1, 1), (1, 700), (600, 1), (2, 3), (33, 32), (70, 64)]
    images = [noise(shape, seed) for seed, shape in enumerate(shapes)]
    flat = [np.full((40, 50), level, np.uint16) for level in (0, 257, 65535)]
    boxes([*images, *flat], small(method))


@pytest.mark.parametrize("method", METHODS)
def test_launches_do_not_depend_on_the_images(method: Method, each_device) -> None:
    boxes([noise((9, 9), 0)], small(method))
    of_one = list(each_device.launched)
    each_device.launched.clear()
    boxes([noise((300, 20), 1), noise((20, 300), 2), noise((7, 7), 3)], small(method))
    assert each_device.launched == of_one
    assert len(of_one) <= 16


@pytest.mark.parametrize(
    ("method", "module"),
    [("profile", profiles), ("run", run), ("mean-profile", mean_profile), ("window", window)],
)
def test_memory_holds_anything_before(
    method: Method, module: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [drawn_breast((120, 90), 1), np.zeros((20, 30), np.uint16)]
    clean = boxes(images, small(method))

    def rubbish(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        return on_device(torch.full(shape, 77, dtype=dtype))

    for place in (module, line_sums):
        monkeypatch.setattr(place, "empty", rubbish)
    assert boxes(images, small(method)) == clean


@pytest.mark.parametrize("method", METHODS)
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    images=st.lists(
        arrays(
            np.uint16,
            array_shapes(min_dims=2, max_dims=2, max_side=24),
            elements=st.sampled_from([0, 1, 256, 257, 10536, 10537, 30000, 65535]),
        ),
        min_size=1,
        max_size=3,
    ),
    constants=st.fixed_dictionaries(
        {
            "profile": st.builds(
                ProfileSettings,
                columns=st.floats(0.01, 0.9),
                rows=st.floats(0.01, 0.9),
                smooth=st.floats(0, 1),
            ),
            "run": st.builds(RunSettings, level=st.integers(0, 255), central=st.floats(0.1, 1)),
            "mean_profile": st.builds(
                MeanProfileSettings, threshold=st.floats(0, 0.9), buffer=st.integers(1, 9)
            ),
            "window": st.builds(
                WindowSettings,
                size=st.tuples(st.integers(1, 20), st.integers(1, 20)),
                erode=st.integers(0, 4),
                margin=st.integers(0, 4),
            ),
        }
    ),
    share=st.floats(0.01, 0.5),
)
def test_any_image(method, images, constants, share) -> None:
    settings = RoiSettings(method=method, mirror_by="columns", mirror_share=share, **constants)
    for box, image in zip(boxes(images, settings), images, strict=True):
        assert 0 <= box.top < box.bottom <= image.shape[0]
        assert 0 <= box.left < box.right <= image.shape[1]


# ---- which way it is turned --------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.03, 0.1, 0.25, 0.5])
def test_outer_columns_are_compared(share: float) -> None:
    shapes = [(70, 300), (33, 7), (1, 1), (5, 2)]
    images = [noise(shape, seed) for seed, shape in enumerate(shapes)]
    images += [image[:, ::-1].copy() for image in images]
    settings = RoiSettings(method="none", mirror_by="columns", mirror_share=share)
    turned = [one.mirror for one in boxes(images, settings)]
    assert True in turned
    assert False in turned


def test_sums_do_not_overflow() -> None:
    image = np.zeros((40000, 2), np.uint16)
    image[:, 1] = 65535  # 2.6e9
    assert boxes([image], RoiSettings(method="none", mirror_by="columns"))[0].mirror


def test_no_images_launch_nothing(each_device) -> None:
    assert list(roi([], small("profile"))) == []
    assert list(roi([], RoiSettings(method="none", mirror_by="columns"))) == []
    assert each_device.launched == []


def test_boxes_found_before_stay_as_they_were() -> None:
    image = on_device(np.array([[1, 2]], np.uint16))
    masks = DeviceMasks(on_device(np.array([2], np.int32)), np.array([0]))
    before = DeviceRois(device_boxes([Roi(0, 1, 1, 2)]), masks)
    after = mirror([image], before, RoiSettings(method="component", mirror_by="columns"))
    assert isinstance(after, DeviceRois)
    assert after.masks is masks
    assert list(after) == [Roi(0, 1, 1, 2, mirror=True)]
    assert list(before) == [Roi(0, 1, 1, 2)]
    assert before.boxes[:, FIELDS.index("mirror")].tolist() == [0]
