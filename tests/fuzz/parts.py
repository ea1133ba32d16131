"""A whole DICOM file taken apart, so that its parts can be damaged one by one, and put together.

Knows nothing of what a sound file is: whatever was made of the parts is written down. PS3.5
section 7, A.4 and A.5; PS3.10 section 7.
"""

import struct
import zlib
from dataclasses import dataclass, field

LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
UNDEFINED = 0xFFFFFFFF
PIXEL_DATA = 0x7FE00010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DEFLATED, BIG_ENDIAN, IMPLICIT = (
    b"1.2.840.10008.1.2.1.99",
    b"1.2.840.10008.1.2.2",
    b"1.2.840.10008.1.2",
)


@dataclass
class Element:
    """One data element; `length` overrules the true length of `value`, "" is implicit VR."""

    tag: int
    vr: bytes
    value: bytes
    length: int | None = None
    little: bool = True

    def encode(self) -> bytes:
        order = "<" if self.little else ">"
        length = len(self.value) if self.length is None else self.length
        head = struct.pack(f"{order}HH", self.tag >> 16, self.tag & 0xFFFF)
        if not self.vr:
            return head + struct.pack(f"{order}I", length & UNDEFINED) + self.value
        if self.vr in LONG:
            return head + self.vr + struct.pack(f"{order}HI", 0, length & UNDEFINED) + self.value
        return head + self.vr + struct.pack(f"{order}H", length & 0xFFFF) + self.value


@dataclass
class Parts:
    """Preamble and meta elements, the elements of the data set, and its pixel data element.

    `fragments` (the offset table first) are those of encapsulated pixel data, None where `native`
    holds plain samples. `delimiter` ends the items, `tail` is what stands after the pixel data.
    """

    preamble: bytes
    meta: list[Element]
    elements: list[Element]
    native: Element | None
    fragments: list[bytes] | None
    delimiter: bytes = b""
    tail: bytes = b""
    deflated: bool = False
    pixel_head: bytes = field(default=b"")

    @property
    def frame(self) -> bytes:
        """The codestream: all fragments but the offset table, or the plain samples."""
        if self.fragments is not None:
            return b"".join(self.fragments[1:])
        return b"" if self.native is None else self.native.value

    def put_frame(self, frame: bytes) -> None:
        """Put another codestream there, of the right length."""
        padded = frame + b"\0" * (len(frame) % 2)
        if self.fragments is not None:
            self.fragments = [*self.fragments[:1], padded]
        elif self.native is not None:
            self.native.value = padded

    def encode(self) -> bytes:
        """The file."""
        data = b"".join(element.encode() for element in self.elements) + self.pixel_bytes()
        data += self.tail
        if self.deflated:
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            data = packer.compress(data) + packer.flush()
        return self.preamble + b"".join(element.encode() for element in self.meta) + data

    def pixel_bytes(self) -> bytes:
        """The pixel data element as it stands in the data set."""
        if self.fragments is None:
            return b"" if self.native is None else self.native.encode()
        items = [item(fragment) for fragment in self.fragments]
        return self.pixel_head + b"".join(items) + self.delimiter


def item(value: bytes, length: int | None = None) -> bytes:
    """An item of encapsulated pixel data, its length as told."""
    told = len(value) if length is None else length & UNDEFINED
    return struct.pack("<HHI", 0xFFFE, 0xE000, told) + value


def take_apart(file: bytes) -> Parts:
    """The parts of a sound file."""
    meta, at = _elements(file, 132, lambda tag: tag >> 16 == 2, vrs=True, little=True)
    syntax = next(e.value.rstrip(b"\0 ") for e in meta if e.tag == 0x00020010)
    data = zlib.decompress(file[at:], -15) if syntax == DEFLATED else file[at:]
    little, vrs = syntax != BIG_ENDIAN, syntax != IMPLICIT
    elements, end = _elements(data, 0, lambda tag: tag < PIXEL_DATA, vrs, little)
    parts = Parts(file[:132], meta, elements, None, None, deflated=syntax == DEFLATED)
    if end < len(data):
        _take_pixels(parts, data, end, vrs, little)
    return parts


def _take_pixels(parts: Parts, data: bytes, at: int, vrs: bool, little: bool) -> None:
    tag, vr, start, length = _head(data, at, vrs, little)
    if length != UNDEFINED:
        parts.native = Element(tag, vr, data[start : start + length], little=little)
        parts.tail = data[start + length :]
        return
    parts.pixel_head, parts.fragments = data[at:start], []
    while True:
        tag, _, inner, length = _head(data, start, vrs=False, little=True)
        if tag != ITEM:
            parts.delimiter, parts.tail = data[start:inner], data[inner:]
            return
        parts.fragments.append(data[inner : inner + length])
        start = inner + length


def _elements(data, at, wanted, vrs, little):
    """Elements from `at` on as long as their tags are wanted, and where the next one begins."""
    found = []
    while at < len(data):
        tag, vr, start, length = _head(data, at, vrs, little)
        if not wanted(tag):
            break
        end = start + length if length != UNDEFINED else _end_of_items(data, start, vrs, little)
        told = UNDEFINED if length == UNDEFINED else None
        found.append(Element(tag, vr, data[start:end], told, little))
        at = end
    return found, at


def _end_of_items(data: bytes, at: int, vrs: bool, little: bool) -> int:
    """Behind the delimiter of a sequence of undefined length."""
    while True:
        tag, _, start, length = _head(data, at, vrs=False, little=little)
        if tag == SEQUENCE_END:
            return start
        if length != UNDEFINED:
            at = start + length
            continue
        _, inner = _elements(data, start, lambda tag: tag != ITEM_END, vrs, little)
        at = inner + 8


def _head(data: bytes, at: int, vrs: bool, little: bool) -> tuple[int, bytes, int, int]:
    """Tag, VR, where the value begins, and its length as told."""
    order = "<" if little else ">"
    group, number = struct.unpack_from(f"{order}HH", data, at)
    tag = group << 16 | number
    if not vrs or group == 0xFFFE:
        return tag, b"", at + 8, struct.unpack_from(f"{order}I", data, at + 4)[0]
    vr = data[at + 4 : at + 6]
    if vr in LONG:
        return tag, vr, at + 12, struct.unpack_from(f"{order}I", data, at + 8)[0]
    return tag, vr, at + 8, struct.unpack_from(f"{order}H", data, at + 6)[0]
