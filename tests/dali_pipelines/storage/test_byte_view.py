from pathlib import Path

import pytest

from dali_pipelines.storage.byte_view import ByteView, FileRange, MemoryBytes
from dali_pipelines.storage.regular_file import open_regular
from dali_pipelines.verdicts import Reason, RejectError


def check(view: ByteView) -> None:
    assert view.size == 6
    assert [
        view.peek(0, 3),
        view.peek(4, 9),
        view.peek(6, 1),
        view.peek(99, 1),
        view.peek(-2, 4),
    ] == [*(b"cde", b"gh", b"", b"", b"")]
    assert view.peek(0, 1 << 40) == b"cdefgh"  # allocates what there is
    out = bytearray(3)
    view.fill(2, memoryview(out))
    assert out == b"efg"
    with pytest.raises(RejectError) as caught:
        view.fill(4, memoryview(out))
    assert caught.value.reason is Reason.TRUNCATED
    assert caught.value.detail == "3 bytes were to be read at byte 4, only 2 are there"


def test_a_range_of_a_file_ends_where_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcdefghij")
    with open_regular(str(tmp_path / "a")) as (descriptor, _):
        check(FileRange(descriptor, 2, 6))


def test_memory_is_read_alike() -> None:
    check(MemoryBytes(b"cdefgh"))
    check(MemoryBytes(bytearray(b"cdefgh")))
