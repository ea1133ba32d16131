"""Boxes by hand on the device: the CPU's, and nothing but the rows of their images changes."""

import numpy as np
import pytest

from dali_pipelines.cpu.mask import mask as cpu_mask
from dali_pipelines.cpu.roi import roi as cpu_roi
from dali_pipelines.gpu.mask import mask
from dali_pipelines.gpu.roi import roi
from dali_pipelines.records import GivenBox
from dali_pipelines.roi_settings import ContourSettings, Method, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.real_device import on_device, on_host
from tests.tiny_detector import write_detector

pytestmark = pytest.mark.usefixtures("each_device")

GIVEN = (
    None,
    GivenBox(3, 20, 4, 30),
    GivenBox(0, 7, 0, 9, mirror=True),
    GivenBox(1, 2, 3, 40, mirror=False),
    None,
)
SHAPES = ((70, 45), (40, 64), (33, 31), (64, 97), (50, 33))


def images() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    made = [rng.integers(20_000, 60_000, shape).astype(np.uint16) for shape in SHAPES]
    for k, image in enumerate(made):
        image[-10:] = 0
        image[:, : 15 * (k % 2)] = 0
        image[:, image.shape[1] - 12 * ((k + 1) % 2) :] = 0
    return made


@pytest.mark.parametrize("method", ["auto", "contour", "otsu", "none"])
@pytest.mark.parametrize("mirror", ["chest-left", "none"])
def test_a_given_box_takes_the_place_of_what_is_found(method: Method, mirror: str) -> None:
    settings = RoiSettings(method, mirror=mirror, mirror_by="columns")  # type: ignore[arg-type]
    pictures = images()
    displays = [on_device(image) for image in pictures]
    found = list(roi(displays, settings, GIVEN))
    assert found == list(cpu_roi(pictures, settings, GIVEN))
    plain = list(roi(displays, settings))
    assert [found[0], found[4]] == [plain[0], plain[4]]
    assert found[1] == Roi(3, 20, 4, 30, mirror=plain[1].mirror)
    assert found[2:4] == [Roi(0, 7, 0, 9, mirror=True), Roi(1, 2, 3, 40, mirror=False)]


def test_boxes_are_overwritten_without_a_look_at_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    displays = [on_device(image) for image in images()]
    with monkeypatch.context() as patch:
        patch.setattr("dali_pipelines.gpu.device.Download.get", None)
        found = roi(displays, RoiSettings(), GIVEN)
    assert found[3] == Roi(1, 2, 3, 40)


def test_a_given_box_has_no_mask_and_the_others_keep_theirs() -> None:
    settings = RoiSettings("contour", mirror="none", contour=ContourSettings(mask=True))
    pictures = images()
    for picture in pictures:
        picture[:, 12::14] = 0  # parts, of which one is kept
    displays = [on_device(image) for image in pictures]
    masked = mask(displays, roi(displays, settings, GIVEN))
    wanted = cpu_mask(pictures, cpu_roi(pictures, settings, GIVEN))
    for k, (one, other) in enumerate(zip(masked, wanted, strict=True)):
        assert np.array_equal(on_host(one), other)
        assert np.array_equal(other, pictures[k]) is (GIVEN[k] is not None)


def test_a_detector_finds_the_boxes_of_the_cpu(tmp_path) -> None:
    rows = {73: (0.5, 0.25, 0.0, 0.7, 1.0, 1.0)}
    pictures = [*images(), np.full((90, 60), 65535, np.uint16)]
    for by_input in (True, False):
        model = write_detector(tmp_path, rows, by_input=by_input)
        settings = RoiSettings("detector", mirror="none", detector=model)
        wanted = list(cpu_roi(pictures, settings))
        found = roi([on_device(image) for image in pictures], settings)
        assert list(found) == wanted
    otsu = list(cpu_roi(pictures, RoiSettings("otsu", mirror="none")))
    assert wanted != otsu
