import itertools
from collections.abc import Iterator

import pytest
import torch

from trainer.timing import Timing


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_row_says_what_the_time_since_the_last_one_went_into() -> None:
    clock = _Clock()
    timing = Timing(torch.device("cpu"), clock)

    def batches() -> Iterator[int]:
        for wait in (3.0, 1.0):
            clock.now += wait
            yield 8

    for images in timing.waits(batches()):
        clock.now += 2.0
        timing.count(images)
    row = timing.row()
    assert row["seconds"] == 8.0
    assert row["images"] == 16
    assert row["rate_img_s"] == 2.0
    assert row["wait_share"] == 0.5
    assert 10 < row["host_mib"] < 2**20
    assert row["gpu_mib"] is row["gpu_held_mib"] is None
    clock.now += 4.0
    assert timing.row() | {"host_mib": 0} == {
        "seconds": 4.0, "images": 0, "rate_img_s": 0.0, "wait_share": 0.0,
        "host_mib": 0, "gpu_mib": None, "gpu_held_mib": None,
    }  # fmt: skip


def test_no_time_is_no_rate() -> None:
    row = Timing(torch.device("cpu"), _Clock()).row()
    assert row["rate_img_s"] is row["wait_share"] is None


def test_a_pass_may_be_left_and_what_a_source_raises_comes_through() -> None:
    clock = _Clock()
    timing = Timing(torch.device("cpu"), clock)
    assert list(itertools.islice(timing.waits(itertools.count()), 3)) == [0, 1, 2]

    def broken() -> Iterator[int]:
        yield 1
        clock.now += 1.0
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(timing.waits(broken()))
    clock.now += 1.0
    assert timing.row()["wait_share"] == 0.5
