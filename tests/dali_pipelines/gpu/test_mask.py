"""The mask step by kernels: the CPU's image, to the bit."""

import numpy as np
import pytest

from dali_pipelines.cpu.finders import contour as cpu_contour
from dali_pipelines.cpu.mask import mask as cpu_mask
from dali_pipelines.gpu.boxes import DeviceRois
from dali_pipelines.gpu.finders import contour
from dali_pipelines.gpu.mask import mask
from dali_pipelines.gpu.roi import roi
from dali_pipelines.roi_settings import ContourSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.real_device import on_device, on_host

pytestmark = pytest.mark.usefixtures("each_device")

MASKED = RoiSettings(method="contour", mirror="none", contour=ContourSettings(mask=True))


def speckle(shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < 0.6, rng.integers(0, 65536, shape), 40).astype(np.uint16)


def test_what_lies_outside_of_the_contour_becomes_black() -> None:
    shapes = [(1, 1), (40, 32), (17, 63), (65, 33), (9, 300), (50, 20)]
    images = [speckle(shape, seed) for seed, shape in enumerate(shapes)]
    images.append(np.full((6, 7), 40, np.uint16))  # nothing is found, and all is kept
    displays = [on_device(image) for image in images]
    masked = mask(displays, contour.find(displays, MASKED))
    wanted = cpu_mask(images, cpu_contour.find(images, MASKED))
    for found, expected in zip(masked, wanted, strict=True):
        assert np.array_equal(on_host(found), expected)
    changed = [not np.array_equal(one, image) for one, image in zip(wanted, images, strict=True)]
    assert changed[1:] == [True] * 5 + [False]
    for image, display in zip(images, displays, strict=True):
        assert np.array_equal(on_host(display), image)


def test_masks_outlive_a_decision_by_the_columns() -> None:
    settings = RoiSettings(method="contour", mirror_by="columns", contour=MASKED.contour)
    image = speckle((40, 50), 3)
    image[:, :20] = 0
    display = on_device(image)
    rois = roi([display], settings)
    assert rois[0].mirror
    (masked,) = mask([display], rois)
    (wanted,) = cpu_mask([image], cpu_contour.find([image], settings))
    assert np.array_equal(on_host(masked), wanted)


@pytest.mark.parametrize("asked", [False, True])
def test_without_masks_the_images_are_the_same(asked: bool, each_device) -> None:
    display = on_device(speckle((20, 30), 1))
    plain = RoiSettings(method="contour", mirror="none")
    rois = contour.find([display], plain) if asked else [Roi(0, 20, 0, 30)]
    each_device.launched.clear()
    assert mask([display], rois)[0] is display
    assert mask([], rois[:0] if not asked else DeviceRois(on_device(np.zeros((0, 6))))) == []
    assert each_device.launched == []
