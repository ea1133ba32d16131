"""Whether a frame can be DICOM RLE (PS3.5 annex G) of an image, from its first bytes and length."""

import struct
from collections.abc import Iterator
from typing import Final

from dali_pipelines.codestream.markers import Buffer
from dali_pipelines.verdicts import Reason, RejectError

HEADER_BYTES: Final = 64
_LONGEST_RUN: Final = 128  # pixels from one PackBits pair of bytes, PS3.5 G.3.1
_MOST_SEGMENTS: Final = 2  # of a pixel of one sample and 16 bits
_NO_RUN: Final = 128  # the header byte that means nothing
_CERTAIN: Final = 4  # row ends that cut a run short; by chance four in a row hardly lie right


def check_rle(head: bytes, size: int, pixels: int, bits_allocated: int) -> None:
    """Raise RejectError unless `head`, the first bytes of `size`, fits an image of `pixels`.

    CORRUPT: the header is not that of one segment for each byte of a pixel. TRUNCATED: a segment
    is too short to hold all pixels even if they were all equal.
    """
    if len(head) < HEADER_BYTES:
        raise RejectError(
            Reason.TRUNCATED, f"the RLE frame has {size} bytes, its header alone has {HEADER_BYTES}"
        )
    count, *offsets = struct.unpack_from("<16I", head)
    wanted = bits_allocated // 8
    if count != wanted:
        raise RejectError(
            Reason.CORRUPT,
            f"the RLE header states {count} segments, {bits_allocated}-bit pixels need {wanted}",
        )
    used = offsets[:count]
    if used[0] != HEADER_BYTES or used != sorted(set(used)):
        raise RejectError(Reason.CORRUPT, "the RLE header's segment offsets are not in order")
    least = 2 * -(-pixels // _LONGEST_RUN)
    for start, stop in zip(used, [*used[1:], size], strict=True):
        if stop - start < least or stop > size:
            raise RejectError(
                Reason.TRUNCATED,
                f"the RLE segment at byte {start} of {size} has {max(0, stop - start)} bytes, "
                f"{pixels} pixels take {least} at least",
            )


def require_row_length(head: bytes, rows: int, columns: int) -> None:
    """RejectError(GEOMETRY) where Rows and Columns are swapped: RLE has no size of its own.

    But each row is coded apart (PS3.5 G.3.1), so runs end where rows end. `head` are the first
    bytes of the frame, some rows at least. Encoders that code across rows are let through.
    """
    ends = _run_ends(head)
    if not _fits(ends, columns) and _fits(ends, rows) and _are_cut(ends, rows):
        raise RejectError(
            Reason.GEOMETRY,
            f"the RLE data have rows of {rows} pixels, the header says {rows} rows and {columns} "
            "columns",
        )


def end_of_rle(data: Buffer, pixels: int) -> int:
    """The offset after the frame: that of the data, or where nothing but more padding follows.

    RLE has no end mark, so this takes a walk over the last segment, until it has coded all pixels.
    It is spared where no two zeros stand at the end. What is damaged comes back whole, for the
    decoder to refuse.
    """
    padding = len(data) - len(bytes(data).rstrip(b"\0")) if bytes(data[-2:]) == bytes(2) else 0
    segments = min(int.from_bytes(data[:4], "little"), _MOST_SEGMENTS)
    if not padding or not segments:
        return len(data)
    start = int.from_bytes(data[4 * segments : 4 * segments + 4], "little")
    for at, done, _ in _runs(data, start, len(data)):
        if done >= pixels:
            end = at + at % 2
            return end if len(data) - padding <= end else len(data)
    return len(data)


def _run_ends(head: bytes) -> dict[int, int]:
    """Where each run of the first segment ends, counted in pixels, and how many it has."""
    segments, _, second = struct.unpack_from("<3I", head)
    stop = min(second, len(head)) if segments > 1 else len(head)
    return {done: count for _, done, count in _runs(head, HEADER_BYTES, stop)}


def _runs(data: Buffer, at: int, stop: int) -> Iterator[tuple[int, int, int]]:
    """After each run of a segment: its end in `data`, the pixels up to there, and its own."""
    done = 0
    while at < stop:
        code = data[at]
        if code == _NO_RUN:
            at += 1
            continue
        literal = code < _NO_RUN
        count = code + 1 if literal else 257 - code
        at += 1 + count if literal else 2
        done += count
        yield at, done, count


def _fits(ends: dict[int, int], width: int) -> bool:
    return all(place in ends for place in range(width, max(ends, default=0), width))


def _are_cut(ends: dict[int, int], width: int) -> bool:
    """Whether rows of this width do cut runs short: full ones may end there by themselves."""
    places = range(width, max(ends, default=0), width)
    return sum(ends[place] < _LONGEST_RUN for place in places) >= _CERTAIN
