"""Which bytes of the pixel data belong to which frame of an object that has several.

PS3.5 A.4 and PS3.3 C.7.6.3.1.8: a fragment holds bytes of one frame only, and the offset tables say
with which fragment each frame begins. Real tables are wrong or absent; codestreams say where they
begin, so that no table is believed against them. RLE frames have one fragment each.
"""

import struct
from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.codestream.stream import MAGIC
from dali_pipelines.dicom.encapsulation import (
    UNDEFINED_LENGTH,
    Items,
    Payload,
    PixelElement,
    find_items,
    find_payload,
)
from dali_pipelines.dicom.tag_values import raw_element
from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Flag, Reason, RejectError

TAGS: Final = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")

_MOST_FRAMES: Final = 10_000  # tomosynthesis has 40 to 100
_ITEM_HEAD_BYTES: Final = 8  # tag and length, PS3.5 7.5.1
_PADDING: Final = 1  # bytes that make the length of a fragment even, PS3.5 A.4
_LONGEST_MAGIC: Final = max(map(len, MAGIC))

Starts = list[int]  # the number of the first fragment of each frame


def split_frames(
    view: ByteView, element: PixelElement, count: int, frame_bytes: int, dataset: Dataset
) -> tuple[Payload, ...]:
    """Where the bytes of each of `count` frames lie; `frame_bytes` is the size of a native one.

    OFFSET_TABLE flags a table that contradicts the items. RejectError(FRAMES) where there are more
    or fewer frames than `count`, and as `find_payload`.
    """
    if count == 1:
        return (find_payload(view, element),)
    if count > _MOST_FRAMES:
        raise RejectError(
            Reason.FRAMES, f"{count} frames were announced, more than {_MOST_FRAMES} are not taken"
        )
    if element.length == UNDEFINED_LENGTH:
        return _encapsulated_frames(view, find_items(view, element.offset), count, dataset)
    return _native_frames(find_payload(view, element), element, count, frame_bytes)


def _native_frames(
    payload: Payload, element: PixelElement, count: int, frame_bytes: int
) -> tuple[Payload, ...]:
    """Frame k at k times `frame_bytes`, with what may be the padding of the last one."""
    start, there = payload.fragments[0]
    needed = count * frame_bytes
    if element.length < needed or element.length >= needed + frame_bytes:
        raise RejectError(
            Reason.FRAMES,
            f"{count} frames of {frame_bytes} bytes were announced, the pixel data have "
            f"{element.length} bytes; the Number of Frames must be that of the pixel data",
        )
    if there < needed:
        raise RejectError(
            Reason.TRUNCATED,
            f"the pixel data have {there} bytes, {needed} were expected; fetch the file again",
        )
    flags = list(payload.flags)
    if element.length > needed + needed % 2:
        flags.append(Flag.EXCESS_BYTES)
    padded = frame_bytes + frame_bytes % 2
    return tuple(
        Payload(((start + at, min(padded, there - at)),), encapsulated=False, flags=tuple(flags))
        for at in range(0, needed, frame_bytes)
    )


def _encapsulated_frames(
    view: ByteView, items: Items, count: int, dataset: Dataset
) -> tuple[Payload, ...]:
    tables = [_extended_starts(items, count, dataset), _basic_starts(view, items, count)]
    starts = _frame_starts(items, count, _marked_starts(view, items), tables)
    flags = items.flags
    if any(table is not None and table != starts for table in tables):
        flags = (*flags, Flag.OFFSET_TABLE)
    bounds = zip(starts, [*starts[1:], len(items.fragments)], strict=True)
    return tuple(
        Payload(items.fragments[first:end], encapsulated=True, flags=flags) for first, end in bounds
    )


def _frame_starts(items: Items, count: int, marked: Starts, tables: list[Starts | None]) -> Starts:
    """The first fragment of each frame: by the codestreams, a sound table, or one fragment each."""
    fragments = len(items.fragments)
    if len(marked) == count and marked[0] == 0:
        return marked
    if 0 < len(marked) < count:
        for table in tables:
            if table:
                return table
    found = len(marked) or fragments
    if found < count and Flag.NO_DELIMITER in items.flags:
        raise RejectError(
            Reason.TRUNCATED, f"the file ends after {found} of {count} frames; fetch it again"
        )
    if len(marked) > count or fragments != count:
        raise RejectError(
            Reason.FRAMES,
            f"{count} frames were announced, the pixel data have {fragments} fragments, of which "
            f"{len(marked)} begin a codestream; the Number of Frames must be that of the pixel "
            "data",
        )
    return list(range(count))


def _marked_starts(view: ByteView, items: Items) -> Starts:
    """The fragments that begin with a codestream's first marker.

    SOI and a marker cannot occur within a JPEG's entropy-coded data (T.81 B.1.1.5); the four bytes
    of JPEG 2000 begin a fragment in its midst once in 2**32.
    """
    heads = (view.peek(offset, _LONGEST_MAGIC) for offset, _ in items.fragments)
    return [k for k, head in enumerate(heads) if head.startswith(MAGIC)]


def _basic_starts(view: ByteView, items: Items, count: int) -> Starts | None:
    """What the Basic Offset Table says: None if it is empty, [] if it contradicts the items.

    Its offsets count from the first byte after the table. PS3.5 A.4.
    """
    offset, length = items.table
    if length == 0:
        return None
    if length != 4 * count:
        return []
    return _starts_at(items, struct.unpack(f"<{count}I", view.peek(offset, length)))


def _extended_starts(items: Items, count: int, dataset: Dataset) -> Starts | None:
    """What the Extended Offset Table says; likewise. Each frame is one fragment of that length."""
    found = [raw_element(dataset, name) for name in TAGS]
    if found[0] is None:
        return None
    values = [part.value if part is not None and part.value else b"" for part in found]
    fragments = len(items.fragments)
    if fragments != count or any(len(value) != 8 * count for value in values):
        return []
    offsets, lengths = (struct.unpack(f"<{count}Q", value) for value in values)
    fits = all(
        there - _PADDING <= length <= there
        for length, (_, there) in zip(lengths, items.fragments, strict=True)
    )
    return _starts_at(items, offsets) if fits else []


def _starts_at(items: Items, offsets: tuple[int, ...]) -> Starts:
    """The fragments whose items begin at these offsets; [] unless each does, in order."""
    base = sum(items.table)
    numbers = {at - _ITEM_HEAD_BYTES - base: k for k, (at, _) in enumerate(items.fragments)}
    starts = [numbers.get(offset, -1) for offset in offsets]
    return starts if starts[0] == 0 and starts == sorted(set(starts)) else []
