"""Where the bytes of the one frame lie: native pixel data, or items around a codestream.

Follows PS3.5 A.4 and 7.5. All fragments after the first item belong to the frame of a single-frame
image, whatever the offset tables say. No length is believed before it is compared with what is
there.
"""

import struct
from dataclasses import dataclass
from typing import Final

from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Flag, Reason, RejectError

UNDEFINED_LENGTH: Final = 0xFFFFFFFF

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_MAX_FRAGMENTS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class PixelElement:
    """The pixel data element: its tag, VR ("" where implicit) and where its value begins.

    `length` is as declared, `UNDEFINED_LENGTH` for encapsulated data; `little` is the byte order.
    """

    tag: int
    vr: str
    offset: int
    length: int
    little: bool


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes of the frame as (offset, length) pairs, and what is odd about their container."""

    fragments: tuple[tuple[int, int], ...]
    encapsulated: bool
    flags: tuple[Flag, ...] = ()

    @property
    def size(self) -> int:
        """Bytes in all fragments."""
        return sum(length for _, length in self.fragments)


def find_payload(view: ByteView, element: PixelElement) -> Payload:
    """Where the frame's bytes lie.

    RejectError: TRUNCATED where a fragment passes the end, CORRUPT, NO_PIXELS for no bytes at all.
    Native data may be shorter than declared (flagged); the caller knows how many it needs.
    """
    if element.length == UNDEFINED_LENGTH:
        return _walk_items(view, element.offset)
    there = max(0, view.size - element.offset)
    length = min(element.length, there)
    if element.length == 0:
        raise RejectError(Reason.NO_PIXELS, "the pixel data element is empty")
    flags = (Flag.LENGTH_BEYOND_EOF,) if element.length > there else ()
    return Payload(((element.offset, length),), encapsulated=False, flags=flags)


def _walk_items(view: ByteView, position: int) -> Payload:
    """The fragments between the offset table, which is the first item, and the delimiter."""
    items: list[tuple[int, int]] = []
    flags: tuple[Flag, ...] = ()
    while True:
        head = view.peek(position, 8)
        if head[:4] == _END[:4] and len(head) == 8:
            break
        if len(head) < 8 and len(items) > 1 and _END.startswith(head):
            flags = (Flag.NO_DELIMITER,)
            break
        items.append(_item(view, position, head))
        position = sum(items[-1])
        if len(items) > _MAX_FRAGMENTS:
            raise RejectError(Reason.CORRUPT, f"the frame has more than {_MAX_FRAGMENTS} fragments")
    fragments = tuple(item for item in items[1:] if item[1])
    if not fragments:
        raise RejectError(Reason.NO_PIXELS, "the encapsulated pixel data has no fragment")
    return Payload(fragments, encapsulated=True, flags=flags)


def _item(view: ByteView, position: int, head: bytes) -> tuple[int, int]:
    """The (offset, length) of the item whose 8-byte head is at `position`."""
    if len(head) < 8:
        raise RejectError(
            Reason.TRUNCATED,
            f"the data end at byte {view.size}, inside the head of a pixel data fragment",
        )
    if head[:4] != _ITEM:
        raise RejectError(
            Reason.CORRUPT,
            f"at byte {position} a pixel data fragment was expected, found tag {head[:4].hex()}",
        )
    (length,) = struct.unpack_from("<I", head, 4)
    if length == UNDEFINED_LENGTH:
        raise RejectError(
            Reason.CORRUPT, f"the pixel data fragment at byte {position} states no length"
        )
    if position + 8 + length > view.size:
        raise RejectError(
            Reason.TRUNCATED,
            f"the pixel data fragment at byte {position} has {length} bytes, "
            f"{max(0, view.size - position - 8)} are left; fetch the file again",
        )
    return position + 8, length
