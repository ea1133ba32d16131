"""The kernels that normalize each image by its own values against the CPU, to the bit."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

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

MODES = [
    {"per_image": "min-max"},
    {"per_image": "min-max", "per_image_bits": 8},
    {"per_image": "standardize"},
]
IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "channels": 3}


def prepared(image: np.ndarray, **changes) -> np.ndarray:
    """What the kernels make of an image none of whose px changes place, mean 0, std 1."""
    settings = ResizeSettings(**{"size": image.shape, "mean": 0.0, "std": 1.0, **changes})
    return by_kernel([image], [frame(image)], settings)[0].numpy()


def test_hand_worked_numbers() -> None:
    image = np.array([[100, 300, 500]], np.uint16)
    assert prepared(image, per_image="min-max")[0, 0].tolist() == [0, 0.5, 1]
    parts = prepared(image, per_image="min-max", per_image_bits=8, std=1 / 255)[0, 0]
    assert np.rint(parts).tolist() == [0, 127, 255]
    pair = np.array([[1000, 1002]], np.uint16)
    assert prepared(pair, per_image="standardize")[0, 0].tolist() == [-1, 1]
    even = np.full((40, 3), 700, np.uint16)
    assert (prepared(even, per_image="standardize", mean=0.5) == -0.5).all()
    assert (prepared(even, per_image="min-max", mean=0.5) == -0.5).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("bits", [None, 8, 16])
def test_each_image_goes_by_its_own_values(each_device, mode: dict, bits: int | None) -> None:
    images = [
        *(picture(90, 61), picture(80, 70) // 9 + 30000, np.full((9, 9), 4321, np.uint16)),
        np.zeros((20, 30), np.uint16),
    ]
    boxes = [Roi(0, 50, 0, 40), frame(images[1], mirror=True), frame(images[2]), frame(images[3])]
    settings = ResizeSettings(size=(66, 40), fit="stretch", bits=bits, **mode, **IMAGENET)
    assert_equal_bits(images, boxes, settings)
    names = [kernel for _, kernel in each_device.launched]
    assert names == ["resize", "measure", "normalize"]


@given(data=st.data())
@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_twins_agree_on_any_values(data) -> None:
    shape = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    least = data.draw(st.integers(0, 65535))
    span = data.draw(st.integers(0, 65535 - least))
    seed = data.draw(st.integers(0, 99))
    image = np.random.default_rng(seed).integers(least, least + span + 1, shape).astype(np.uint16)
    settings = ResizeSettings(
        size=(data.draw(st.integers(1, 80)), data.draw(st.integers(1, 70))),
        fit=data.draw(st.sampled_from(["pad", "keep", "stretch"])),
        filter=data.draw(st.sampled_from(["area", "triangle"])),
        bits=data.draw(st.sampled_from([None, 8, 16])),
        **data.draw(st.sampled_from(MODES)),
        **data.draw(st.sampled_from([{"mean": 0.31, "std": 0.25}, IMAGENET])),
    )
    assert_equal_bits([image], [frame(image)], settings)


@pytest.mark.parametrize("mode", MODES)
def test_more_px_than_one_round_of_threads(mode: dict) -> None:
    image = picture(301, 299)
    assert_equal_bits([image], [frame(image)], ResizeSettings(size=(301, 299), **mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_types_are_the_rounded_floats(mode: dict, dtype: str) -> None:
    image = picture(131, 97)
    settings = ResizeSettings(size=(67, 60), dtype=dtype, **mode, **IMAGENET)
    found = by_kernel([image], [frame(image)], settings)
    exact = torch.from_numpy(by_cpu([image], [frame(image)], settings))
    assert torch.equal(found, exact.to(found.dtype))


@pytest.mark.parametrize("mode", MODES)
def test_the_slots_beside_keep_what_they_hold(mode: dict) -> None:
    image = picture(8, 8)
    ring = on_device(torch.full((3, 1, 8, 8), 7.0))
    settings = ResizeSettings(size=(8, 8), **mode)
    resize([on_device(image)], [frame(image)], settings, ring[1:2])
    assert np.array_equal(ring[1:2].cpu(), by_cpu([image], [frame(image)], settings))
    assert (ring[::2] == 7).all()
