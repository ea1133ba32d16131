"""A run of bytes read by offset: part of a file, or memory.

`archive.py` makes them; the header, the fragments and the hot path read through them alike, so
that a file, a stored zip member and an unpacked member differ in nothing but where bytes come from.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from dali_pipelines.storage.regular_file import read_into
from dali_pipelines.verdicts import Reason, RejectError

_HEAD_BYTES: Final = 1 << 12  # holds the preamble and the file meta information


class ByteView(ABC):
    """Bytes 0 ... `size` - 1 of something."""

    def __init__(self, size: int) -> None:
        self.size = size

    def fill(self, offset: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `offset` on; RejectError(TRUNCATED) if they end before."""
        count = self._read_into(offset, out)
        if count < len(out):
            raise RejectError(
                Reason.TRUNCATED,
                f"{len(out)} bytes were to be read at byte {offset}, only {count} are there",
            )

    def peek(self, offset: int, count: int) -> bytes:
        """Up to `count` bytes from `offset` on; fewer at the end, none outside."""
        available = max(0, min(count, self.size - offset)) if offset >= 0 else 0
        out = bytearray(available)
        return bytes(out[: self._read_into(offset, memoryview(out))])

    @abstractmethod
    def _read_into(self, offset: int, out: memoryview) -> int:
        """Fill `out` as far as there are bytes; their number."""


class FileRange(ByteView):
    """`size` bytes of an open file, from byte `base` of it on."""

    def __init__(self, descriptor: int, base: int, size: int) -> None:
        super().__init__(size)
        self._descriptor = descriptor
        self._base = base

    def _read_into(self, offset: int, out: memoryview) -> int:
        inside = out[: max(0, self.size - offset)]
        return read_into(self._descriptor, self._base + offset, inside)


class MemoryBytes(ByteView):
    """Bytes that were unpacked into memory."""

    def __init__(self, data: bytes | bytearray) -> None:
        super().__init__(len(data))
        self._data = memoryview(data)

    def _read_into(self, offset: int, out: memoryview) -> int:
        found = self._data[offset : offset + len(out)]
        out[: len(found)] = found
        return len(found)


class PackedMember(ByteView):
    """Bytes that are unpacked when they are asked for: the first ones at once, or all of them.

    The first ones show what is no DICOM file, which then costs no memory. `unpack` gives as many of
    `size` bytes as it is told.
    """

    def __init__(self, size: int, unpack: Callable[[int], bytearray]) -> None:
        super().__init__(size)
        self._unpack = unpack
        self._data = MemoryBytes(unpack(min(size, _HEAD_BYTES)))

    def _read_into(self, offset: int, out: memoryview) -> int:
        if offset + len(out) > self._data.size and self._data.size < self.size:
            self._data = MemoryBytes(self._unpack(self.size))
        return self._data._read_into(offset, out)
