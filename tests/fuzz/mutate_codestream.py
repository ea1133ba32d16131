"""Mutators of codestreams: they know the markers of JPEG, JPEG-LS and JPEG 2000, and RLE's header.

Each takes the codestream of a file and gives another one, which goes back into the file with right
lengths.
"""

import struct
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.fuzz.parts import Parts

SOS, SOT, SOD = 0xDA, 0x90, 0x93
ENDINGS = {b"\xff\x4f": b"\xff\xd9", b"\xff\xd8": b"\xff\xd9"}
BYTES = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF]
PIECES = [b"\xff\xd9", b"\xff\xd8", b"\xff\x4f", b"\xff\x90\0\x0a", b"\xff\xd0", b"\xff\xff", b"\0"]


class Segment(NamedTuple):
    """A marker segment: marker byte, offset of its FF, offset after it."""

    marker: int
    start: int
    end: int


def segments(frame: bytes) -> list[Segment]:
    """The marker segments of a header and the SOTs of all tile-parts, while they make sense."""
    found: list[Segment] = []
    at = frame.find(b"\xff\x4f\xff\x51") if frame[:2] != b"\xff\xd8" else 0
    if at < 0:
        return found
    at, last_tile_part = at + 2, 0
    while at + 4 <= len(frame) and frame[at] == 0xFF:
        marker, length = frame[at + 1], int.from_bytes(frame[at + 2 : at + 4], "big")
        if marker == SOD:
            psot = int.from_bytes(frame[last_tile_part + 6 : last_tile_part + 10], "big")
            at = max(at + 2, last_tile_part + psot)
            continue
        found.append(Segment(marker, at, min(at + 2 + length, len(frame))))
        if marker == SOT:
            last_tile_part = at
        at += 2 + length
        if marker == SOS:
            break
    return found


def flip_bits(frame: bytearray, dice: Random) -> bytes:
    """1 to 8 bits of anywhere."""
    for _ in range(dice.choice([1, 1, 1, 2, 8])):
        frame[dice.randrange(len(frame))] ^= 1 << dice.randrange(8)
    return bytes(frame)


def overwrite_run(frame: bytearray, dice: Random) -> bytes:
    """Up to 64 bytes in a row, all the same or noise."""
    start, count = dice.randrange(len(frame)), dice.choice([1, 2, 4, 16, 64])
    noise = dice.randbytes(count)
    same = bytes([dice.choice(BYTES)]) * count
    stop = min(start + count, len(frame))
    frame[start:stop] = (noise if dice.random() < 0.5 else same)[: stop - start]
    return bytes(frame)


def change_field(frame: bytearray, dice: Random) -> bytes:
    """A byte or word among the parameters of a marker segment, or RLE's header."""
    found = segments(bytes(frame))
    if not found:
        at = dice.randrange(0, min(16, len(frame) // 4)) * 4
        lies = [0, 1, 2, 64, 65, len(frame), 1 << 31, 0xFFFFFFFF]
        frame[at : at + 4] = struct.pack("<I", dice.choice(lies))
        return bytes(frame)
    segment = dice.choice(found)
    width = dice.choice([1, 1, 2, 4])
    at = dice.randrange(segment.start + 1, max(segment.start + 2, segment.end - width + 1))
    old = int.from_bytes(frame[at : at + width], "big")
    most = (1 << 8 * width) - 1
    lies = [0, 1, most, most >> 1, old + 1, old - 1, 2 * old, old // 2, dice.randrange(most)]
    frame[at : at + width] = (dice.choice(lies) & most).to_bytes(width, "big")
    return bytes(frame)


def move_segment(frame: bytearray, dice: Random) -> bytes:
    """A segment left out, doubled, put elsewhere or brought in from nowhere."""
    found = segments(bytes(frame))
    if not found:
        return flip_bits(frame, dice)
    segment = dice.choice(found)
    body = bytes(frame[segment.start : segment.end])
    way = dice.randrange(4)
    if way == 0:
        del frame[segment.start : segment.end]
    elif way == 1:
        frame[segment.start : segment.start] = body * dice.choice([1, 1, 300])
    elif way == 2:
        del frame[segment.start : segment.end]
        at = min(dice.choice(found).start, len(frame))
        frame[at:at] = body
    else:
        made = bytes([0xFF, dice.randrange(0x01, 0xFF)])
        length = dice.choice([0, 1, 2, 3, 12, 300])
        frame[segment.start : segment.start] = (
            made + struct.pack(">H", length) + dice.randbytes(max(0, length - 2))
        )
    return bytes(frame)


def insert_bytes(frame: bytearray, dice: Random) -> bytes:
    """Bytes more, noise or a marker, anywhere."""
    at = dice.randrange(len(frame) + 1)
    frame[at:at] = dice.choice([*PIECES, dice.randbytes(dice.choice([1, 2, 7, 100]))])
    return bytes(frame)


def remove_range(frame: bytearray, dice: Random) -> bytes:
    """Bytes less, anywhere."""
    at = dice.randrange(len(frame))
    del frame[at : at + dice.choice([1, 2, 3, 16, 100, len(frame) // 2 + 1])]
    return bytes(frame)


def copy_range(frame: bytearray, dice: Random) -> bytes:
    """A range of the frame over another one, or in between."""
    start, count = dice.randrange(len(frame)), dice.choice([2, 16, 100])
    at = dice.randrange(len(frame))
    stop = at + (count if dice.random() < 0.5 else 0)
    frame[at:stop] = frame[start : start + count]
    return bytes(frame)


def cut(frame: bytearray, dice: Random) -> bytes:
    """The beginning only."""
    return bytes(frame[: dice.randrange(len(frame))])


def cut_and_close(frame: bytearray, dice: Random) -> bytes:
    """The beginning, closed with EOI or EOC; plain cut where the syntax has no such mark."""
    ending = ENDINGS.get(bytes(frame[:2]), b"")
    return bytes(frame[: dice.randrange(2, len(frame) - len(ending))]) + ending


Mutator = Callable[[bytearray, Random], bytes]
SHORTENING = (cut, cut_and_close)
MUTATORS: list[Mutator] = [
    *(flip_bits, flip_bits, overwrite_run, change_field, change_field, change_field, move_segment),
    *(insert_bytes, remove_range, copy_range, *SHORTENING),
]


def mutate(parts: Parts, dice: Random, others: list[Parts]) -> str:
    """Change the codestream of `parts`, or one of several; the name of what was done."""
    if parts.fragments is not None and len(parts.fragments) > 2 and dice.random() < 0.8:
        return _mutate_fragment(parts, dice)
    frame = bytearray(parts.frame)
    if len(frame) < 8 or dice.random() < 0.06:
        return _splice(parts, dice, others)
    mutator = dice.choice(MUTATORS)
    parts.put_frame(mutator(frame, dice))
    return mutator.__name__


def _mutate_fragment(parts: Parts, dice: Random) -> str:
    index = dice.randrange(1, len(parts.fragments))
    fragment = bytearray(parts.fragments[index])
    if len(fragment) < 8:
        return "nothing"
    changed = dice.choice(MUTATORS)(fragment, dice)
    parts.fragments[index] = changed + b"\0" * (len(changed) % 2)
    return "change_fragment"


def _splice(parts: Parts, dice: Random, others: list[Parts]) -> str:
    """The head of one codestream and the end of another, or another one altogether."""
    frame, other = parts.frame, dice.choice(others).frame
    if dice.random() < 0.3 or not frame:
        parts.put_frame(other)
        return "other_stream"
    at = dice.randrange(len(frame))
    start = min(at, len(other)) if dice.random() < 0.5 else dice.randrange(len(other) + 1)
    parts.put_frame(frame[:at] + other[start:])
    return "splice"
