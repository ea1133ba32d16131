"""Marker segments: the grammar that JPEG, JPEG-LS (T.81 B.1.1) and JPEG 2000 (T.800 A.1) share.

A marker is FF and a code; most are followed by a 16-bit length, which counts itself, and by that
many bytes less two of parameters. All numbers are big-endian.
"""

from typing import Final, NamedTuple

from dali_pipelines.verdicts import Reason, RejectError

Buffer = bytes | memoryview

MAX_SEGMENTS: Final = 65_536  # in one header; real ones hold tens, a forged one must not stall us


class Segment(NamedTuple):
    """One marker segment: `marker` (FFxx) at byte `at`, parameters in [`start`, `end`)."""

    marker: int
    at: int
    start: int
    end: int


class Extent(NamedTuple):
    """Where a whole codestream ends, and whether its own structure proves that nothing is missing.

    `end` is the offset of the first byte after EOC or EOI.
    """

    end: int
    proven: bool


def read_uint(data: Buffer, at: int, size: int) -> int:
    """The unsigned big-endian number of `size` bytes at `at`; RejectError(TRUNCATED) past the end.

    The codes of markers and boxes are read by this too, so that no index can run out of the data.
    """
    if at + size > len(data):
        raise truncated(at + size, len(data))
    return int.from_bytes(data[at : at + size], "big")


def read_marker(data: Buffer, at: int) -> int:
    """The marker FFxx at `at`. RejectError(CORRUPT) if there is none, (TRUNCATED) past the end."""
    marker = read_uint(data, at, 2)
    if not 0xFF00 < marker < 0xFFFF:
        raise corrupt(f"wanted a marker at byte {at}, found {marker:04X}")
    return marker


def read_segment(data: Buffer, at: int, shortest: int = 0) -> Segment:
    """The segment at `at`, which must have `shortest` bytes of parameters at least."""
    marker = read_marker(data, at)
    length = read_uint(data, at + 2, 2)
    if length < 2 + shortest:
        wanted = 2 + shortest
        raise corrupt(f"marker {marker:04X} at byte {at} has length {length}, wanted {wanted}")
    segment = Segment(marker, at, at + 4, at + 2 + length)
    if segment.end > len(data):
        raise truncated(segment.end, len(data))
    return segment


def truncated(wanted: int, found: int) -> RejectError:
    """The error of a stream that stops too early; both numbers are in bytes."""
    detail = f"codestream needs {wanted} bytes at least, found {found}; fetch the file again"
    return RejectError(Reason.TRUNCATED, detail)


def incomplete(found: str) -> RejectError:
    """The error of a stream that ends in good order, but not with all that its header announced."""
    detail = f"codestream ends with {found}, wanted all; fetch the file again"
    return RejectError(Reason.TRUNCATED, detail)


def corrupt(what: str) -> RejectError:
    """The error of a stream whose bytes contradict its format."""
    return RejectError(Reason.CORRUPT, f"codestream is damaged: {what}; fetch the file again")


def unsupported(what: str) -> RejectError:
    """The error of a well-formed stream that no decoder here takes."""
    return RejectError(Reason.UNSUPPORTED, f"codestream cannot be decoded here: {what}")


def check_precision(bits: int) -> int:
    """`bits`, if a sample of that precision fits into 16 bits; RejectError(UNSUPPORTED) if not."""
    if not 1 <= bits <= 16:
        raise unsupported(f"samples have {bits} bits, wanted 1 to 16")
    return bits
