"""The dispatch to the methods that find the breast; each method has tests of its own."""

import numpy as np
import pytest

from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.compared_boxes import boxes
from tests.drawn_breasts import half_ellipse

pytestmark = pytest.mark.usefixtures("each_device")


@pytest.mark.parametrize("images", [[], [np.zeros((3, 4), np.uint16)]])
def test_method_none_and_no_images_launch_nothing(images: list[np.ndarray], each_device) -> None:
    settings = RoiSettings(method="none" if images else "auto", mirror="none")
    assert boxes(images, settings) == [Roi(0, 3, 0, 4) for _ in images]
    assert each_device.launched == []


def test_method_auto_is_the_default(each_device) -> None:
    (found,) = boxes([half_ellipse((64, 48), (10, 50, 30), 30000)], RoiSettings())
    assert found.found
    assert ("breast", "find_breast") in each_device.launched
