"""Bytes that two openings of one descriptor both see."""

import fcntl
import os

import numpy as np
import pytest

from dali_pipelines.isolation.shared_bytes import SharedBytes


def test_what_one_writes_the_other_reads_also_after_growth() -> None:
    ours = SharedBytes()
    theirs = SharedBytes(os.dup(ours.descriptor))
    ours.view(3)[:] = [1, 2, 3]
    assert theirs.view(3).tolist() == [1, 2, 3]
    theirs.view(100_000)[99_999] = 7
    assert ours.view(100_000)[[0, 3, 99_999]].tolist() == [1, 0, 7]
    assert len(ours.view(2)) == 2
    ours.close()
    theirs.close()


def test_a_view_outlives_growth_and_close() -> None:
    shared = SharedBytes()
    early = shared.view(4)
    early[:] = 5
    shared.view(1 << 20)[0] = 6
    assert early.tolist() == [6, 5, 5, 5]
    shared.close()
    assert early.tolist() == [6, 5, 5, 5]


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="only Linux has seals")
def test_nobody_can_take_bytes_away_or_the_means_to_add_some() -> None:
    """A file that shrinks kills whoever looks at what was there."""
    shared = SharedBytes()
    shared.view(8192)[5000] = 7
    with pytest.raises(PermissionError):
        os.ftruncate(shared.descriptor, 100)
    with pytest.raises(PermissionError):
        fcntl.fcntl(shared.descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW)
    assert shared.view(8192)[5000] == 7
    assert len(shared.view(1 << 20)) == 1 << 20
    shared.close()


def test_more_than_can_be_is_an_os_error() -> None:
    shared = SharedBytes()
    try:
        with pytest.raises((OSError, OverflowError)):
            shared.view(1 << 62)
        assert shared.view(8).dtype == np.uint8
    finally:
        shared.close()
