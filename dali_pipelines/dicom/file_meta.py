"""The head of a DICOM file: preamble, "DICM", and the file meta group 0002 (PS3.10 section 7.1).

Read by hand, since it decides how the rest is to be read, and since the hot path needs to find the
end of it without pydicom.
"""

import struct
from dataclasses import dataclass
from typing import Final

from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Reason, RejectError

DATA_SET_START: Final = 132  # 128 bytes of preamble and "DICM"
LONG_VRS: Final = frozenset(  # 12-byte element headers with a 32-bit length, PS3.5 7.1.2
    (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
)

_META_GROUP: Final = 0x0002
_IDENTIFYING_GROUP: Final = 0x0008  # the first group of a data set
_CLASS, _INSTANCE, _SYNTAX = 0x0002, 0x0003, 0x0010
_MAX_ELEMENTS: Final = 256
_MAX_UID_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class FileMeta:
    """What group 0002 says; "" where it says nothing. `end` is where the data set begins."""

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    end: int


def read_file_meta(view: ByteView) -> FileMeta:
    """The file meta information of a DICOM file.

    RejectError: EMPTY, NOT_DICOM without "DICM" at byte 128, TRUNCATED, CORRUPT.
    """
    if view.size == 0:
        raise RejectError(Reason.EMPTY, "the file has no bytes")
    if view.peek(DATA_SET_START - 4, 4) != b"DICM":
        raise RejectError(Reason.NOT_DICOM, "the letters DICM do not stand at byte 128")
    position = DATA_SET_START
    uids: dict[int, str] = {}
    for _ in range(_MAX_ELEMENTS):
        head = view.peek(position, 12)
        if len(head) >= 2 and struct.unpack_from("<H", head)[0] != _META_GROUP:
            break
        if len(head) < 8:
            raise _cut_short(view)
        element = struct.unpack_from("<H", head, 2)[0]
        start, length = _value(head, position)
        if start + length > view.size:
            raise _cut_short(view)
        if element in (_CLASS, _INSTANCE, _SYNTAX) and length <= _MAX_UID_BYTES:
            value = view.peek(start, length).decode("ascii", "replace")
            uids[element] = value.strip("\0 ")
        position = start + length
    else:
        raise RejectError(
            Reason.CORRUPT, f"the file meta group has more than {_MAX_ELEMENTS} elements"
        )
    if position == DATA_SET_START and struct.unpack_from("<H", head)[0] != _IDENTIFYING_GROUP:
        raise RejectError(Reason.CORRUPT, "no DICOM element follows the letters DICM")
    return FileMeta(uids.get(_CLASS, ""), uids.get(_INSTANCE, ""), uids.get(_SYNTAX, ""), position)


def _value(head: bytes, position: int) -> tuple[int, int]:
    """Where the element's value begins, and its length; some writers use implicit VR here too."""
    if head[4:6] in LONG_VRS:
        if len(head) < 12:
            return position + 12, 0  # past the end, which the caller sees
        return position + 12, struct.unpack_from("<I", head, 8)[0]
    if head[4:6].isalpha() and head[4:6].isupper():
        return position + 8, struct.unpack_from("<H", head, 6)[0]
    return position + 8, struct.unpack_from("<I", head, 4)[0]


def _cut_short(view: ByteView) -> RejectError:
    return RejectError(
        Reason.TRUNCATED,
        f"the file ends at byte {view.size}, inside its file meta information; fetch it again",
    )
