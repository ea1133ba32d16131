import tracemalloc
import zlib

import pytest

from dali_pipelines.storage.byte_view import MemoryBytes
from dali_pipelines.storage.inflate import inflate, inflated_size
from dali_pipelines.verdicts import Reason, RejectError


def deflate(data: bytes, level: int = 9) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 20) + 1, 3_000_001])
def test_a_stream_unfolds_to_what_was_folded(size: int) -> None:
    data = (bytes(range(251)) * (size // 251 + 1))[:size]
    view = MemoryBytes(b"head" + deflate(data) + b"tail")
    assert inflated_size(view, 4, size) == size
    assert inflate(view, 4, size) == data
    assert inflate(view, 4, size // 2) == data[: size // 2]


def test_a_bomb_is_refused_before_its_bytes_are_taken() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(48)) + packer.flush()
    assert len(bomb) < 60_000
    tracemalloc.start()
    try:
        with pytest.raises(RejectError, match="unfolds to more than 33554432") as caught:
            inflated_size(MemoryBytes(bomb), 0, 1 << 25)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert caught.value.reason is Reason.TOO_LARGE


def test_an_unfinished_stream_is_truncated_wherever_it_is_cut() -> None:
    packed = deflate(bytes(range(256)) * 20)
    for cut in range(len(packed)):
        with pytest.raises(RejectError) as caught:
            inflated_size(MemoryBytes(packed[:cut]), 0, 1 << 20)
        assert caught.value.reason is Reason.TRUNCATED
    with pytest.raises(RejectError) as caught:
        inflate(MemoryBytes(packed), 0, 256 * 20 + 1)
    assert caught.value.reason is Reason.TRUNCATED


def test_bytes_past_the_stop_are_not_looked_at() -> None:
    packed = deflate(b"hello" * 100)
    with pytest.raises(RejectError) as caught:
        inflate(MemoryBytes(packed), 0, 500, stop=len(packed) - 2)
    assert caught.value.reason is Reason.TRUNCATED


def test_what_is_no_deflate_stream_is_corrupt() -> None:
    for data in (b"\xff" * 40, zlib.compress(b"hello" * 9)):
        with pytest.raises(RejectError) as caught:
            inflated_size(MemoryBytes(data), 0, 1 << 20)
        assert caught.value.reason is Reason.CORRUPT
