"""Which pictures are turned: by hand."""

import numpy as np
import pytest

from dali_pipelines.cpu.mirror import leans, mirror
from dali_pipelines.cpu.roi import roi
from dali_pipelines.roi_settings import ComponentSettings, RoiSettings
from dali_pipelines.stages import Roi


def by_columns(share: float = 0.5) -> RoiSettings:
    return RoiSettings(method="none", mirror_by="columns", mirror_share=share)


@pytest.mark.parametrize(
    ("row", "share", "lean"),
    [
        ([1, 0, 0, 0, 0, 0, 0, 0, 0, 2], 0.1, 1),
        ([1, 0, 0, 0, 0, 0, 0, 0, 5, 1], 0.1, 0),
        ([1, 0, 0, 0, 0, 0, 0, 0, 5, 1], 0.2, 5),
        ([1, 9, 0, 0, 0, 0, 0, 0, 0, 1], 0.29, -9),  # int(2.9) columns
        ([3, 8, 5], 0.5, 2),  # the middle column of an odd number belongs to no half
        ([7], 0.5, 0),
        ([1, 2, 4], 0.1, 3),  # at least one column
    ],
)
def test_outer_columns_are_compared(row: list[int], share: float, lean: int) -> None:
    image = np.array([row, row], np.uint16)
    assert leans([image], by_columns(share)) == [2 * lean]
    assert roi([image], by_columns(share)) == [Roi(0, 2, 0, len(row), mirror=lean > 0)]


def test_sums_do_not_overflow() -> None:
    image = np.full((70000, 2), 65535, np.uint16)
    image[0, 0] = 0
    assert leans([image], by_columns()) == [65535]


def test_the_box_is_of_the_picture_as_it_came() -> None:
    image = np.zeros((4, 10), np.uint16)
    image[1:3, 7:] = 65535
    settings = RoiSettings(method="component", mirror_by="columns", component=ComponentSettings())
    assert roi([image], settings) == [Roi(1, 3, 7, 10, mirror=True)]


def test_elsewhere_boxes_stay_as_they_were() -> None:
    boxes = [Roi(0, 1, 0, 2, mirror=True)]
    image = np.array([[9, 1]], np.uint16)
    for settings in (
        RoiSettings(),  # by the breast
        RoiSettings(mirror="none", mirror_by="columns"),
        RoiSettings(method="profile", mirror_by="columns"),  # has decided itself
    ):
        assert mirror([image], boxes, settings) is boxes
