"""Mutators of what is around codestreams: items, offset tables, delimiters, files, zip members."""

import io
import struct
import warnings
import zipfile
from random import Random

from tests.fuzz.parts import PIXEL_DATA, UNDEFINED, Element, Parts, item

HOSTILE_NAMES = ["../../evil.dcm", "/etc/passwd", "a\\..\\b", "", "x" * 300, "ä\n.dcm", "con", "."]


def split_fragments(parts: Parts, dice: Random) -> None:
    """The same frame in other fragments: sound, if odd."""
    frame = parts.frame
    count = dice.choice([1, 2, 3, 7, 40])
    cuts = sorted(dice.randrange(0, len(frame) + 1, 2) for _ in range(count - 1))
    ends = [*cuts, len(frame)]
    table = parts.fragments[0]
    parts.fragments = [table, *(frame[a:b] for a, b in zip([0, *cuts], ends, strict=True))]


def change_offset_table(parts: Parts, dice: Random) -> None:
    """Any Basic Offset Table, or none at all."""
    count = dice.choice([0, 1, 2, 5, 1000])
    values = [
        dice.choice([0, 1, 2, 0x7FFFFFFF, UNDEFINED, dice.randrange(5000)]) for _ in range(count)
    ]
    table = struct.pack(f"<{count}I", *values) + b"x" * dice.choice([0, 0, 0, 1, 2])
    parts.fragments = [table, *parts.fragments[1:]] if dice.random() < 0.8 else parts.fragments[1:]


def add_extended_offsets(parts: Parts, dice: Random) -> None:
    """An Extended Offset Table with its lengths, right or wrong (PS3.3 C.7.6.3.1.8)."""
    offsets = [0, dice.choice([0, 1, 1 << 40, (1 << 64) - 1])][: dice.choice([1, 2])]
    size = [len(parts.frame), dice.choice([0, 1, 1 << 40])][: dice.choice([1, 2])]
    for tag, values in ((0x7FE00001, offsets), (0x7FE00002, size)):
        parts.elements.append(Element(tag, b"OV", struct.pack(f"<{len(values)}Q", *values)))


def change_item_length(parts: Parts, dice: Random) -> None:
    """One item whose length lies."""
    index = dice.randrange(len(parts.fragments))
    true = len(parts.fragments[index])
    lies = [0, 1, true - 1, true + 1, true + 2, true + 8, 2 * true, 0xFFFFFFFE, UNDEFINED]
    items = [item(fragment) for fragment in parts.fragments]
    items[index] = item(parts.fragments[index], dice.choice(lies))
    _put_raw(parts, b"".join(items) + parts.delimiter)


def shuffle_fragments(parts: Parts, dice: Random) -> None:
    """Items in another order, one left out, doubled, or empty."""
    split_fragments(parts, dice)
    index = dice.randrange(len(parts.fragments))
    way = dice.randrange(4)
    if way == 0:
        dice.shuffle(parts.fragments)
    elif way == 1:
        del parts.fragments[index]
    elif way == 2:
        parts.fragments.insert(index, parts.fragments[index])
    else:
        parts.fragments[index:index] = [b""] * dice.choice([1, 3, 2000])


def change_delimiter(parts: Parts, dice: Random) -> None:
    """No end mark, half of one, or another, and bytes after it."""
    ends = [b"", parts.delimiter[:4], parts.delimiter[:7], b"\0" * 8, b"\xfe\xff\x0d\xe0\0\0\0\0"]
    parts.delimiter = dice.choice([*ends, parts.delimiter * 2])
    parts.tail = dice.choice([b"", b"\0", b"\0" * 100, dice.randbytes(30), parts.tail])


def change_pixel_head(parts: Parts, dice: Random) -> None:
    """Another VR or length of the pixel data element, or one that is defined."""
    if parts.fragments is None:
        true = len(parts.native.value)
        lies = [0, 1, true - 2, true - 1, true + 2, true + 1000, 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED]
        parts.native.length = dice.choice(lies) & UNDEFINED
        return
    vr = dice.choice([b"OB", b"OW", b"UN", b"SQ", b"US", b"\0\0"])
    length = dice.choice([UNDEFINED, len(parts.frame), 0, 0xFFFFFFFE])
    parts.pixel_head = struct.pack("<HH2sHI", 0x7FE0, 0x0010, vr, 0, length)


def resize_native(parts: Parts, dice: Random) -> None:
    """More or fewer samples than the header says."""
    value = parts.native.value
    way = dice.choice([len(value) - 1, len(value) - 2, len(value) // 2, 2, 1])
    more = dice.choice([b"\0", b"\0\0", dice.randbytes(100), value])
    parts.native.value = value + more if dice.random() < 0.4 else value[:way]


def second_pixel_data(parts: Parts, dice: Random) -> None:
    """Pixel data before the pixel data, or of another kind."""
    tag = dice.choice([PIXEL_DATA, 0x7FE00008, 0x7FE00009, 0x00880200])
    parts.elements.append(Element(tag, b"OW", dice.randbytes(dice.choice([0, 2, 100]))))


ENCAPSULATED = [
    *(split_fragments, change_offset_table, add_extended_offsets, change_item_length),
    *(shuffle_fragments, change_delimiter, change_pixel_head, second_pixel_data),
]
NATIVE = [resize_native, change_pixel_head, second_pixel_data]


def mutate(parts: Parts, dice: Random) -> str:
    """Change the container of the codestream; the name of what was done."""
    if parts.fragments is None and parts.native is None:
        return "nothing"
    mutator = dice.choice(NATIVE if parts.fragments is None else ENCAPSULATED)
    mutator(parts, dice)
    return mutator.__name__


def mutate_file(file: bytes, dice: Random, others: list[bytes]) -> tuple[str, bytes]:
    """What was done to the bytes of a file, and they."""
    data, way = bytearray(file), dice.randrange(7)
    at = dice.randrange(len(data))
    if way == 0:
        return "cut_file", bytes(data[:at])
    if way == 1:
        return "append", file + dice.choice([b"\0", b"\0" * 1000, dice.randbytes(77), file])
    if way == 2:
        return "concatenate", file[:at] + dice.choice(others)
    if way == 3:
        del data[at : at + dice.choice([1, 2, 8, 100, 1000])]
        return "remove_bytes", bytes(data)
    if way == 4:
        data[at:at] = dice.randbytes(dice.choice([1, 2, 8, 100]))
        return "insert_bytes_file", bytes(data)
    for _ in range(dice.choice([1, 4, 30])):
        data[dice.randrange(128, len(data))] = dice.randrange(256)
    return "change_bytes_file", bytes(data)


def mutate_zip(file: bytes, dice: Random) -> tuple[str, bytes]:
    """A zip file that holds the file, damaged in one place or under a hostile name."""
    method = dice.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    names = ["a.dcm"] if dice.random() < 0.5 else [dice.choice(HOSTILE_NAMES), "a.dcm"]
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # a name twice
        for name in [*names, *names[: dice.randrange(2)]]:
            archive.writestr(zipfile.ZipInfo(name), file, method)
    data = bytearray(out.getvalue())
    directory = data.rindex(b"PK\x01\x02")
    place = dice.choice([(0, 64), (directory, len(data)), (0, len(data))])
    for _ in range(dice.choice([0, 1, 1, 3])):
        data[dice.randrange(*place)] = dice.choice([0, 1, 255, dice.randrange(256)])
    if dice.random() < 0.15:
        del data[dice.randrange(len(data)) :]
    return "zip", bytes(data)


def _put_raw(parts: Parts, value: bytes) -> None:
    """Items as they are, to be written after the head of the pixel data element."""
    parts.native = Element(PIXEL_DATA, b"OB", value, UNDEFINED)
    parts.fragments = None
