"""Ways to lay a codestream into encapsulated pixel data, as archives do and as damage does."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


@dataclass
class Wrapped:
    """How a stream lies in its file; `bare` is what the reader must give, the stream if None."""

    fragments: list[bytes]
    table: bytes | None = b""
    tags: dict[str, Any] = field(default_factory=dict)
    bare: bytes | None = None


Form = Callable[[bytes], Wrapped]


def pieces(stream: bytes, size: int) -> list[bytes]:
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def split_in_markers(stream: bytes) -> Wrapped:
    """Between the FF and the code of the first marker, of one in the middle, and of the last."""
    middle = stream.index(b"\xff", len(stream) // 2) + 1
    cuts = [0, 1, 3, middle, len(stream) - 1, len(stream)]
    return Wrapped([stream[a:b] for a, b in pairwise(cuts)])


def box(kind: bytes, content: bytes, length: int | None = None) -> bytes:
    size = len(content) + 8 if length is None else length
    wide = struct.pack(">Q", len(content) + 16) if size == 1 else b""
    return struct.pack(">I4s", size, kind) + wide + content


SIGNATURE = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
UNKNOWN = box(b"uuid", bytes(16) + b"\xff\x4f\xff\x51 and \xff\xd9") + box(b"free", b"")


def boxed(length: int | None = None, before: bytes = b"", after: bytes = b"") -> Form:
    def wrap(stream: bytes) -> Wrapped:
        data = SIGNATURE + before + box(b"jp2c", stream, length) + after
        return Wrapped([data], bare=stream)

    return wrap


def with_segments(*segments: bytes) -> Form:
    """Segments right after SOI; a decoder has to step over them."""

    def wrap(stream: bytes) -> Wrapped:
        data = stream[:2] + b"".join(segments) + stream[2:]
        return Wrapped([data], bare=data)

    return wrap


def segment(code: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, code, len(content) + 2) + content


def tables_first(stream: bytes) -> Wrapped:
    """DHT before SOF3, as GE and Siemens write it."""
    frame = 4 + int.from_bytes(stream[4:6], "big")
    tables = frame + 2 + int.from_bytes(stream[frame + 2 : frame + 4], "big")
    assert (stream[3], stream[frame + 1]) == (0xC3, 0xC4)
    data = stream[:2] + stream[frame:tables] + stream[2:frame] + stream[tables:]
    return Wrapped([data], bare=data)


def extended(offset: int, length: int | None = None) -> Form:
    def wrap(stream: bytes) -> Wrapped:
        there = len(stream) + len(stream) % 2 if length is None else length
        tags = {
            "ExtendedOffsetTable": struct.pack("<Q", offset),
            "ExtendedOffsetTableLengths": struct.pack("<Q", there),
        }
        return Wrapped([stream], tags=tags)

    return wrap


def zeros_at_the_end(stream: bytes) -> Wrapped:
    return Wrapped([stream[:-2] + bytes(2)])


def followed_by(tail: bytes) -> Form:
    return lambda stream: Wrapped([stream + tail], bare=stream)


def table(content: bytes | None) -> Form:
    return lambda stream: Wrapped(pieces(stream, 1 << 19), table=content)
