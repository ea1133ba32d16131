"""Mutators of headers: each changes the elements of a file's parts in one way, by the dice."""

import struct
from random import Random

from tests.fuzz.parts import ITEM, ITEM_END, SEQUENCE_END, UNDEFINED, Element, Parts

VRS = b"AE AS AT CS DA DS DT FD FL IS LO LT OB OD OF OL OV OW PN SH SL SQ SS ST SV TM UC".split()
VRS += b"UI UL UN UR US UT UV ?? \0\0 ZZ".split(b" ")
NUMBERS = [0, 1, 2, 7, 8, 9, 11, 12, 15, 16, 17, 31, 32, 255, 256, 4095, 4096, 32767, 32768, 65535]
TEXTS = [
    *(b"", b" ", b"\\", b"\\\\\\", b"0", b"-0", b"1", b"-1", b"1e308", b"1e309", b"1e-320"),
    *(b"nan", b"NaN", b"inf", b"-inf", b"Infinity", b"0x10", b"1_000", b"1,5", b"12abc"),
    *(b"2048\\nan", b"0\\0\\0", b"4096\\", b"65536", b"4294967296", b"-2147483649"),
    *(b"9" * 400, b"A" * 70000, b"../../etc/passwd", b"/dev/zero", b"=1+1", b"\0\0\0\0"),
    *(b"\xff\xfe\xfd", b"\x1b$B\x1b(B", b"\x1b", b"\xc3\x28", b"\xf0\x9f\x98\x80", b"%s%n{0}"),
    *(b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"PALETTE COLOR", b"SIGMOID", b"LINEAR_EXACT"),
    *(b"INVERSE", b"IDENTITY", b"FOR PROCESSING", b"FOR PRESENTATION", b"L", b"R", b"B", b"CC"),
    *(b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2", b"1.2.3"),
    *(b"1.2.840.10008.1.2.4.70", b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.5"),
    *(b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.80", b"1.2.840.10008.1.2.4.201"),
    *(b"1.2.840.10008.5.1.4.1.1.13.1.3", b"1.2.840.10008.5.1.4.1.1.1.2.1"),
]
CHARSETS = [
    *(
        b"ISO_IR 100",
        b"ISO_IR 192",
        b"GB18030",
        b"ISO 2022 IR 87\\ISO 2022 IR 13",
        b"\\ISO 2022 IR 58",
    ),
    *(
        b"utf-8",
        b"ISO_IR 999",
        b"unicode_escape",
        b"rot13",
        b"zlib_codec",
        b"idna",
        b"\xff\xff",
        b"",
    ),
]
# What decides how pixels are read: drawn more often than the hundred others.
PIVOTS = [
    *(0x00080005, 0x00080016, 0x00080018, 0x00080060, 0x00080068, 0x00180015, 0x00181164),
    *(0x00200062, 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100),
    *(0x00280101, 0x00280102, 0x00280103, 0x00280120, 0x00280121, 0x00281050, 0x00281051),
    *(0x00281052, 0x00281053, 0x00281056, 0x00283000, 0x00283010, 0x20500020, 0x00540220),
]


def change_value(parts: Parts, dice: Random) -> None:
    """Another value of right length."""
    element = _pick(parts, dice)
    element.value, element.length = _value(element, dice), None


def change_length(parts: Parts, dice: Random) -> None:
    """A length that lies; the value stays."""
    element = _pick(parts, dice)
    true = len(element.value)
    lies = [0, 1, true + 1, true + 2, true - 1, 2 * true, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE]
    element.length = dice.choice([*lies, UNDEFINED, dice.randrange(1 << 16)]) & UNDEFINED


def change_vr(parts: Parts, dice: Random) -> None:
    """Another VR, which may have another form of head; implicit data have none to change."""
    element = _pick(parts, dice)
    element.vr = dice.choice([*VRS, b""]) if element.vr else dice.choice(VRS)


def change_tag(parts: Parts, dice: Random) -> None:
    """A known element under another number, or a delimiter where none belongs."""
    tags = [*PIVOTS, ITEM, ITEM_END, SEQUENCE_END, 0x7FE00001, 0x7FE00008, 0x7FE00009, 0x7FE00010]
    _pick(parts, dice).tag = dice.choice([*tags, 0, dice.randrange(1 << 32)])


def duplicate(parts: Parts, dice: Random) -> None:
    """An element twice, the second one changed perhaps."""
    element = _pick(parts, dice)
    copy = Element(element.tag, element.vr, element.value, element.length, element.little)
    if dice.random() < 0.5:
        copy.value, copy.length = _value(element, dice), None
    parts.elements.insert(dice.randrange(len(parts.elements) + 1), copy)


def delete(parts: Parts, dice: Random) -> None:
    """One element less."""
    parts.elements.remove(_pick(parts, dice))


def reorder(parts: Parts, dice: Random) -> None:
    """All elements in another order, or one somewhere else."""
    if dice.random() < 0.2:
        dice.shuffle(parts.elements)
        return
    element = _pick(parts, dice)
    parts.elements.remove(element)
    parts.elements.insert(dice.randrange(len(parts.elements) + 1), element)


def swap_values(parts: Parts, dice: Random) -> None:
    """Two elements with each other's values."""
    one, other = _pick(parts, dice), _pick(parts, dice)
    one.value, other.value = other.value, one.value


def nest(parts: Parts, dice: Random) -> None:
    """Elements inside a sequence inside a sequence ... up to 2,000 deep, closed or not."""
    depth = dice.choice([1, 2, 10, 33, 100, 2000])
    element = _pick(parts, dice)
    element.value = _nested(
        element.encode(), depth, closed=dice.random() < 0.7, little=element.little
    )
    element.vr = b"SQ" if element.vr else b""
    element.length = UNDEFINED


def many_items(parts: Parts, dice: Random) -> None:
    """A sequence of very many empty items."""
    element = _pick(parts, dice)
    order = "<" if element.little else ">"
    count = dice.choice([1, 100, 999, 1001, 5000])
    element.value = struct.pack(f"{order}HHI", 0xFFFE, 0xE000, 0) * count
    element.vr, element.length = (b"SQ" if element.vr else b""), None


def change_charset(parts: Parts, dice: Random) -> None:
    """Another Specific Character Set, and text that does not fit it."""
    little, explicit = parts.elements[0].little, bool(parts.elements[0].vr)
    charset = Element(0x00080005, b"CS" if explicit else b"", dice.choice(CHARSETS), None, little)
    parts.elements = [charset, *(e for e in parts.elements if e.tag != 0x00080005)]
    texts = [e for e in parts.elements if e.vr in {b"LO", b"SH", b"PN", b"LT", b"CS"}]
    if texts:
        dice.choice(texts).value = dice.choice(TEXTS[-22:-15]) * dice.choice([1, 7])


def change_meta(parts: Parts, dice: Random) -> None:
    """The file meta group or the preamble, changed in one of the ways above."""
    if dice.random() < 0.1:
        parts.preamble = dice.choice([b"", b"DICM", bytes(132), parts.preamble[:128] + b"dicm"])
        return
    inner = Parts(b"", [], parts.meta, None, None)
    dice.choice([change_value, change_length, change_vr, duplicate, delete, reorder])(inner, dice)
    parts.meta = inner.elements


MUTATORS = [
    *(change_value, change_value, change_value, change_length, change_vr, change_tag, duplicate),
    *(delete, delete, reorder, swap_values, nest, many_items, change_charset, change_meta),
]


def _pick(parts: Parts, dice: Random) -> Element:
    """One of the elements that matter, mostly; a new one where all were deleted."""
    if not parts.elements:
        parts.elements.append(Element(0x00080060, b"CS", b"MG"))
    pivots = [element for element in parts.elements if element.tag in PIVOTS]
    return dice.choice(pivots if pivots and dice.random() < 0.7 else parts.elements)


def _value(element: Element, dice: Random) -> bytes:
    order = "<" if element.little else ">"
    way = dice.randrange(4)
    if way == 0 and element.value:
        value = bytearray(element.value)
        for _ in range(dice.choice([1, 1, 3])):
            value[dice.randrange(len(value))] = dice.randrange(256)
        return bytes(value)
    if way == 1:
        count = dice.choice([1, 1, 2, 3])
        return struct.pack(f"{order}{count}H", *(dice.choice(NUMBERS) for _ in range(count)))
    if way == 2 and len(element.value) <= 8:
        return str(dice.choice(NUMBERS)).encode() + b" " * dice.randrange(2)
    text = dice.choice(TEXTS)
    return text + b" " * (len(text) % 2)


def _nested(inner: bytes, depth: int, closed: bool, little: bool) -> bytes:
    """The items of a sequence that holds `inner` at that depth (explicit VR, undefined lengths)."""
    order = "<" if little else ">"

    def mark(number: int, length: int) -> bytes:
        return struct.pack(f"{order}HHI", 0xFFFE, number, length)

    head = struct.pack(f"{order}HH", 0x0054, 0x0220) + b"SQ\0\0\xff\xff\xff\xff"
    opened = mark(0xE000, UNDEFINED)
    end = mark(0xE00D, 0) + mark(0xE0DD, 0)
    value = (opened + head) * (depth - 1) + opened + inner
    return value + (end * depth if closed else b"")
