"""The mask step: what lies outside becomes black, and nothing is copied without need."""

import numpy as np

from dali_pipelines.cpu.mask import mask
from dali_pipelines.stages import Roi


def test_black_outside_of_the_mask() -> None:
    display = np.array([[1, 2], [3, 65535]], np.uint16)
    roi = Roi(0, 2, 0, 2, mask=np.array([[False, True], [False, True]]))
    (masked,) = mask([display], [roi])
    assert masked.dtype == np.uint16
    assert masked.tolist() == [[0, 2], [0, 65535]]
    assert display.tolist() == [[1, 2], [3, 65535]]


def test_without_a_mask_the_image_is_the_same() -> None:
    displays = [np.ones((2, 3), np.uint16), np.ones((4, 5), np.uint16)]
    masked = mask(displays, [Roi(0, 2, 0, 3), Roi(0, 4, 0, 5, mask=np.zeros((4, 5), bool))])
    assert masked[0] is displays[0]
    assert not masked[1].any()


def test_a_mask_neither_counts_nor_outlives_the_image() -> None:
    roi = Roi(0, 2, 0, 2, mask=np.zeros((2, 2), bool))
    assert roi == Roi(0, 2, 0, 2)
    assert hash(roi) == hash(Roi(0, 2, 0, 2))
    assert "mask" not in repr(roi)
    assert roi.enlarged(0, 2, 2).mask is None
    assert roi.enlarged(1, 4, 3).mask is None
