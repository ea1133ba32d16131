"""Where the codestream lies inside a JP2 file (T.800 annex I), by a walk over its boxes.

DICOM forbids the wrapping (PS3.5 A.4.4); whole archives have it all the same.
"""

from typing import Final

from dali_pipelines.codestream.markers import Buffer, corrupt, read_uint
from dali_pipelines.verdicts import RejectError

SIGNATURE: Final = bytes.fromhex("0000000C6A5020200D0A870A")
_CODESTREAM_BOX: Final = b"jp2c"
_SHORTEST_BOX: Final = 8  # length and type
_PRINTABLE: Final = frozenset(range(0x20, 0x7F))


def is_boxed(data: Buffer) -> bool:
    """Whether `data` begins with the JP2 signature box."""
    return bytes(data[: len(SIGNATURE)]) == SIGNATURE


def find_codestream(data: Buffer) -> tuple[int, int]:
    """The range [start, end) of the first codestream box's contents.

    `end` is at most len(data), also where the box promises more: what is missing then is the
    business of the walk over the codestream. Every box moves the walk on by 8 bytes at least.
    RejectError(CORRUPT) where a length cannot be or no such box exists, (TRUNCATED) where the data
    end before it.
    """
    at = 0
    while True:
        start, end = _read_box(data, at)
        if bytes(data[at + 4 : at + 8]) == _CODESTREAM_BOX:
            return start, min(end, len(data))
        if end == len(data):
            raise corrupt(f"none of the JP2 boxes in {end} bytes holds a codestream")
        at = end


def bytes_behind(data: Buffer) -> int:
    """How many bytes at the end are in no box: 0 where only boxes follow that of the codestream.

    A type is of printable letters (T.800 I.4), so zeros are no box that reaches to the end. Errors
    as `find_codestream`.
    """
    at = find_codestream(data)[1]
    while len(data) - at >= _SHORTEST_BOX and _PRINTABLE.issuperset(data[at + 4 : at + 8]):
        try:
            _, end = _read_box(data, at)
        except RejectError:
            break
        if end > len(data):
            break
        at = end
    return len(data) - at


def _read_box(data: Buffer, at: int) -> tuple[int, int]:
    """The range of the contents of the box at `at`; LBox 0 reaches to the end of the data."""
    read_uint(data, at, 8)
    length, header = read_uint(data, at, 4), 8
    if length == 1:
        length, header = read_uint(data, at + 8, 8), 16
    if length == 0:
        length = len(data) - at
    if length < header:
        raise corrupt(f"JP2 box at byte {at} has length {length}, wanted {header} or more")
    return at + header, at + length
