"""The dispatch to the methods that find the breast; each method has tests of its own."""

from concurrent.futures import ThreadPoolExecutor

from dali_pipelines.cpu.finders.auto import find
from dali_pipelines.cpu.roi import roi
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.drawn_breasts import half_ellipse

EXACT = RoiSettings(auto=AutoSettings(margin=0.0))


def test_method_none_keeps_the_frame_as_it_is() -> None:
    image = half_ellipse((64, 48), (10, 50, 30), 30000)
    assert roi([image], RoiSettings(method="none", mirror="none")) == [Roi(0, 64, 0, 48)]


def test_method_auto_is_the_default() -> None:
    image = half_ellipse((64, 48), (10, 50, 30), 30000)
    assert roi([image], RoiSettings()) == find([image], RoiSettings())


def test_threads_do_not_mix_their_images() -> None:
    images = [half_ellipse((700, 500), (50, 300 + 30 * k, 200 + 9 * k), 30000) for k in range(12)]
    alone = [roi([image], EXACT)[0] for image in images]
    assert len(set(alone)) == len(alone)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda image: roi([image], EXACT)[0], images)) == alone
