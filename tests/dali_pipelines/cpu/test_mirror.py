"""Which pictures are turned: by hand."""

from typing import Any

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


@pytest.mark.parametrize(
    ("row", "mirror"), [([5, 0, 0, 1], True), ([1, 0, 0, 5], False), ([5, 0, 0, 5], False)]
)
def test_the_chest_wall_may_be_wanted_at_the_right(row: list[int], mirror: bool) -> None:
    settings = RoiSettings(method="none", mirror="chest-right", mirror_by="columns")
    assert roi([np.array([row], np.uint16)], settings) == [Roi(0, 1, 0, 4, mirror=mirror)]


@pytest.mark.parametrize(
    "changes", [{"mirror_by": "breast"}, {"method": "profile"}, {"method": "window"}]
)
def test_a_finder_that_looks_from_the_left_wants_it_there(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'chest-right' goes with"):
        RoiSettings(**{"mirror": "chest-right", "mirror_by": "columns"} | changes)


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
