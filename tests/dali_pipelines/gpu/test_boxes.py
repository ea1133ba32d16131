"""Boxes that stay on the device: they are read once, late, and as they were."""

import pytest
import torch

from dali_pipelines.gpu import boxes
from dali_pipelines.gpu.boxes import DeviceRois, device_boxes
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.real_device import on_device

pytestmark = pytest.mark.usefixtures("each_device")

ROIS = [Roi(1, 20, 3, 40, mirror=True), Roi(0, 5, 0, 65535, found=False), Roi(2, 3, 4, 5)]
ROWS = [[1, 20, 3, 40, 1, 1], [0, 5, 0, 65535, 0, 0], [2, 3, 4, 5, 0, 1]]


def test_a_row_holds_the_box_then_mirror_then_found() -> None:
    rows = device_boxes(ROIS)
    assert rows.dtype == torch.int32
    assert rows.tolist() == ROWS
    assert list(DeviceRois(on_device(torch.tensor(ROWS, dtype=torch.int32)))) == ROIS


def test_no_image_gives_no_row() -> None:
    rows = device_boxes([])
    assert tuple(rows.shape) == (0, 6)
    assert list(DeviceRois(rows)) == []


def test_boxes_of_the_device_are_not_sent_again() -> None:
    rois = DeviceRois(device_boxes(ROIS))
    assert device_boxes(rois) is rois.boxes


def test_they_are_a_sequence() -> None:
    rois = DeviceRois(device_boxes(ROIS))
    assert len(rois) == 3
    assert rois[-1] == ROIS[-1]
    assert rois[1:] == tuple(ROIS[1:])
    assert ROIS[1] in rois
    assert rois[0].mirror is True
    assert rois[1].found is False
    with pytest.raises(IndexError):
        rois[3]


def test_the_host_waits_once_and_only_for_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    log = []

    class Download(boxes.Download):
        def __init__(self, values):
            log.append("start")
            super().__init__(values)

        def get(self):
            log.append("wait")
            return super().get()

    monkeypatch.setattr(boxes, "Download", Download)
    rois = DeviceRois(device_boxes(ROIS))
    assert len(rois) == 3
    device_boxes(rois)
    assert log == ["start"]
    assert (rois[0], *rois) == (ROIS[0], *ROIS)
    assert log == ["start", "wait"]


def test_memory_that_is_used_again_does_not_change_them() -> None:
    memory = device_boxes(ROIS)
    rois = DeviceRois(memory)
    memory.zero_()
    assert list(rois) == ROIS
