"""Where the bytes of the pixel data lie: native pixel data, or items around codestreams.

Follows PS3.5 A.4 and 7.5. All fragments after the first item belong to the frame of a single-frame
image, whatever the offset tables say; `frame_split` deals them out to several frames. No length is
believed before it is compared with what is there.
"""

import struct
from dataclasses import dataclass
from typing import Final

from dali_pipelines.codestream.rle import HEADER_BYTES
from dali_pipelines.codestream.stream import MAGIC
from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Flag, Reason, RejectError

UNDEFINED_LENGTH: Final = 0xFFFFFFFF

_ITEM: Final = b"\xfe\xff\x00\xe0"
_END: Final = b"\xfe\xff\xdd\xe0\x00\x00\x00\x00"
_END_OF_STREAM: Final = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
_MAX_FRAGMENTS: Final = 1 << 16
# The number of segments, and where the first begins, of pixels of one and two bytes; PS3.5 G.5.
_RLE_SEGMENTS: Final = tuple(struct.pack("<2I", count, HEADER_BYTES) for count in (1, 2))


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


@dataclass(frozen=True, slots=True)
class Items:
    """The items of encapsulated pixel data as (offset, length) pairs: the offset table, the others.

    `fragments` are those that are not empty, at least one.
    """

    table: tuple[int, int]
    fragments: tuple[tuple[int, int], ...]
    flags: tuple[Flag, ...]


def find_payload(view: ByteView, element: PixelElement) -> Payload:
    """Where the bytes of the one frame lie.

    RejectError: TRUNCATED where a fragment passes the end, CORRUPT, NO_PIXELS for no bytes at all.
    Native data may be shorter than declared (flagged); the caller knows how many it needs.
    """
    if element.length == UNDEFINED_LENGTH:
        items = find_items(view, element.offset)
        return Payload(items.fragments, encapsulated=True, flags=items.flags)
    there = max(0, view.size - element.offset)
    length = min(element.length, there)
    if element.length == 0:
        raise RejectError(Reason.NO_PIXELS, "the pixel data element is empty")
    flags = (Flag.LENGTH_BEYOND_EOF,) if element.length > there else ()
    return Payload(((element.offset, length),), encapsulated=False, flags=flags)


def find_items(view: ByteView, position: int) -> Items:
    """The items from `position` to the delimiter, of which the first is the Basic Offset Table.

    RejectError as `find_payload`.
    """
    items: list[tuple[int, int]] = []
    flags: tuple[Flag, ...] = ()
    while True:
        head = view.peek(position, 8)
        if head[:4] == _END[:4] and len(head) == 8:
            break
        if len(head) < 8 and len(items) > 1 and _END.startswith(head):
            flags = (Flag.NO_DELIMITER,)
            break
        if len(items) > 0 and _lacks_padding_only(view, position, head):
            items.append((position + 8, view.size - position - 8))
            flags = (Flag.NO_DELIMITER, Flag.LENGTH_BEYOND_EOF)
            break
        items.append(_item(view, position, head))
        if len(items) == 1:
            _require_offset_table(view, items[0])
        position = sum(items[-1])
        if len(items) > _MAX_FRAGMENTS:
            raise RejectError(Reason.CORRUPT, f"there are more than {_MAX_FRAGMENTS} fragments")
    fragments = tuple(item for item in items[1:] if item[1])
    if not fragments:
        raise RejectError(Reason.NO_PIXELS, "the encapsulated pixel data has no fragment")
    return Items(items[0], fragments, flags)


def _require_offset_table(view: ByteView, first: tuple[int, int]) -> None:
    """RejectError(CORRUPT) where the first item holds a frame: then its offsets are anyone's guess.

    What a table says is not believed, but its first entry is 0 (PS3.5 A.4); so no codestream looks
    like one, and nor does RLE, whose header begins with the number of its segments.
    """
    offset, length = first
    head = view.peek(offset, min(length, 8))
    if head.startswith((*MAGIC, *_RLE_SEGMENTS)):
        raise RejectError(
            Reason.CORRUPT,
            f"the first item of the pixel data, at byte {offset}, holds a codestream in place of "
            "the offset table; convert the file",
        )


def _lacks_padding_only(view: ByteView, position: int, head: bytes) -> bool:
    """Whether the data end one byte before the item does, and just behind an EOI or EOC.

    The byte that is missing then made the length even (PS3.5 A.4), and holds nothing.
    """
    if head[:4] != _ITEM or len(head) < 8:
        return False
    (length,) = struct.unpack_from("<I", head, 4)
    missing = position + 8 + length - view.size
    return missing == 1 and length > 2 and view.peek(view.size - 2, 2) == _END_OF_STREAM


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
