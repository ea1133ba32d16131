"""Ids of images on a GPU: on file before it sees them, gone once all is well."""

from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.errors import ConfigError, DeviceError
from dali_pipelines.in_flight import InFlight, read_ids
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import Reason, RejectError

LOST = RejectError(Reason.TRUNCATED, "cut short")


@pytest.fixture
def groups(record_of: Callable[..., ImageRecord]) -> list[list[ReadBlock]]:
    """Three groups of two blocks: an image, and a file that cannot be read or an empty place."""
    return [
        [
            ReadBlock(
                np.array([k, -1]), [Encoded(np.zeros(1, "u1"), record_of(image_id=f"i{k}")), x]
            )
            for k, x in ((2 * g, LOST), (2 * g + 1, None))
        ]
        for g in range(3)
    ]


def _one_ahead(groups: Iterable[list[ReadBlock]]) -> Generator[ReadBlock, None, None]:
    """The blocks, each group once the next one is there, as a GPU is fed."""
    held: list[ReadBlock] = []
    for group in groups:
        yield from held
        held = group
    yield from held


def test_ids_are_on_file_from_before_the_gpu_sees_them_until_they_are_made(
    groups: list[list[ReadBlock]], tmp_path: Path
) -> None:
    in_flight = InFlight(tmp_path / "notes" / "rank-0.txt")
    seen = []

    def noting(groups: Iterable[list[ReadBlock]]) -> Iterable[list[ReadBlock]]:
        for group in groups:
            seen.append(sorted(read_ids(tmp_path / "notes")))
            yield group

    made = list(in_flight.follow(groups, lambda groups: _one_ahead(noting(groups))))
    assert [block.indices[0] for block in made] == list(range(6))
    assert seen == [["i0", "i1"], ["i0", "i1", "i2", "i3"], ["i2", "i3", "i4", "i5"]]
    assert made[0].encoded[1] is LOST
    in_flight.settle(None)
    assert read_ids(tmp_path / "notes") == set()


def test_a_run_left_early_is_not_counted_to_the_next(
    groups: list[list[ReadBlock]], tmp_path: Path
) -> None:
    in_flight = InFlight(tmp_path / "rank-0.txt")
    first = in_flight.follow(groups, _one_ahead)
    next(first)
    first.close()  # type: ignore[attr-defined]
    again = in_flight.follow(groups[2:], _one_ahead)
    next(again)
    assert read_ids(tmp_path) == {"i4", "i5"}


def test_what_is_in_doubt_is_for_the_cpu_and_not_noted(
    groups: list[list[ReadBlock]], tmp_path: Path
) -> None:
    made = list(InFlight(tmp_path / "rank-0.txt", {"i4"}).follow(groups, _one_ahead))
    assert [block.encoded[0].on_cpu for block in made] == [k == 4 for k in range(6)]  # type: ignore[union-attr]
    assert read_ids(tmp_path) == {"i2", "i3", "i5"}


@pytest.mark.parametrize(
    ("error", "stays"),
    [
        (None, False),
        (KeyboardInterrupt(), False),
        (ConfigError("the loss became nan"), False),
        (DeviceError("the GPU failed"), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), True),
    ],
    ids=repr,
)
def test_the_note_stays_where_the_gpu_may_have_failed(
    groups: list[list[ReadBlock]], tmp_path: Path, error: Any, stays: bool
) -> None:
    in_flight = InFlight(tmp_path / "rank-0.txt")
    next(in_flight.follow(groups, _one_ahead))
    in_flight.settle(error)
    assert bool(read_ids(tmp_path)) == stays
