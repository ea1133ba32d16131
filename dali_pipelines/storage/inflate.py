"""Raw deflate (RFC 1951) from a byte view into memory, never more than was allowed.

Two uses: compressed zip members, and the deflated transfer syntax (PS3.5 A.5), where a 2 MB file
may unfold to 4 GB. The size is counted first, with nothing kept, and only then is memory taken.
"""

import zlib
from collections.abc import Iterator
from typing import Final

from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Reason, RejectError

_READ_BYTES: Final = 1 << 16
_PIECE_BYTES: Final = 1 << 20  # unfolded at a time; bounds the memory of counting


def inflated_size(view: ByteView, start: int, most: int) -> int:
    """How many bytes the deflate stream at `start` unfolds to; its whole length is read.

    RejectError: TOO_LARGE above `most` bytes, TRUNCATED if the stream does not end, CORRUPT.
    """
    size = 0
    for piece in _pieces(view, start, view.size):
        size += len(piece)
        if size > most:
            raise RejectError(
                Reason.TOO_LARGE,
                f"the compressed data unfolds to more than {most} bytes; raise the limit if this "
                "file is to be trusted",
            )
    return size


def inflate(view: ByteView, start: int, size: int, stop: int | None = None) -> bytearray:
    """The first `size` bytes of the deflate stream at `start`, which ends at `stop` at the latest.

    RejectError(TRUNCATED) if it unfolds to fewer, CORRUPT if it is not deflate.
    """
    out = bytearray(size)
    done = 0
    for piece in _pieces(view, start, view.size if stop is None else stop):
        used = piece[: size - done]
        out[done : done + len(used)] = used
        done += len(used)
        if done == size:
            return out
    if done < size:
        raise RejectError(
            Reason.TRUNCATED, f"the compressed data unfolds to {done} bytes, {size} were expected"
        )
    return out


def _pieces(view: ByteView, start: int, stop: int) -> Iterator[bytes]:
    """The unfolded bytes in pieces of bounded size; RejectError(TRUNCATED) without a proper end."""
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    position = start
    try:
        while not stream.eof:
            packed = stream.unconsumed_tail
            if not packed:
                packed = view.peek(position, min(_READ_BYTES, stop - position))
                position += len(packed)
            piece = stream.decompress(packed, _PIECE_BYTES)
            if piece:
                yield piece
            elif not packed:
                break
    except zlib.error as error:
        raise RejectError(Reason.CORRUPT, "the compressed data is not a deflate stream") from error
    if not stream.eof:
        raise RejectError(
            Reason.TRUNCATED, f"the compressed data ends after {position - start} bytes, unfinished"
        )
