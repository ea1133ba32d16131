"""Values of a parsed data set as plain Python, read from the raw bytes.

pydicom's own conversion warns with, and raises on, values that real archives hold; here an unusable
value is "" or None or NaN, and the caller decides what that means. PS3.5 section 6.2.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final

from pydicom.charset import decode_bytes
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from dali_pipelines.dicom.tag_parser import (
    ITEM_TAGS,
    MAX_ITEMS,
    MAX_VALUE_BYTES,
    PARSE_ERRORS,
    tag_number,
)
from dali_pipelines.verdicts import Reason, RejectError

_TEXT_DELIMITERS: Final = {0x09, 0x0A, 0x0C, 0x0D, 0x5C}  # end a code extension, PS3.5 6.1.2.5.3
_BINARY: Final = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}


def raw_element(dataset: Dataset, name: str | int) -> RawDataElement | None:
    """The element as it stands in the file; None if it is absent, empty or a sequence.

    RejectError(TOO_LARGE) for a value of more than 256 KiB.
    """
    element: object = dataset.get_item(tag_number(name), keep_deferred=True)
    if not isinstance(element, RawDataElement) or not element.value:
        return None
    if len(element.value) > MAX_VALUE_BYTES:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the header has a value of {len(element.value)} bytes, more than {MAX_VALUE_BYTES}",
        )
    return element


def has_value(dataset: Dataset, name: str | int) -> bool:
    """Whether the element is there and not empty, however long its value; False for a sequence."""
    element: object = dataset.get_item(tag_number(name), keep_deferred=True)
    return isinstance(element, RawDataElement) and bool(element.value)


def texts(dataset: Dataset, name: str) -> list[str]:
    """The values of a text element without padding; [] if there are none."""
    element = raw_element(dataset, name)
    if element is None or not element.value:
        return []
    return [part.strip(" \0\t\r\n") for part in _decode(dataset, element.value).split("\\")]


def text(dataset: Dataset, name: str) -> str:
    """The first value of a text element, "" if there is none."""
    return next(iter(texts(dataset, name)), "")


def numbers(dataset: Dataset, name: str | int) -> list[float]:
    """The values of a numeric element, decimal text or binary; NaN for what is no number."""
    element = raw_element(dataset, name)
    if element is None or not element.value:
        return []
    code = _BINARY.get(_vr(element))
    if code is not None:
        return _unpack(element, code, element.value)
    return [_number(part) for part in element.value.decode("latin-1").split("\\")]


def integers(dataset: Dataset, name: str | int, *, signed: bool = False) -> list[int]:
    """The values of an integer element; [] if one of them is no integer.

    `signed` settles elements that are unsigned or signed by Pixel Representation (US or SS).
    """
    element = raw_element(dataset, name)
    if element is None or not element.value:
        return []
    if _vr(element) in ("US", "SS", "US or SS"):
        return [int(value) for value in _unpack(element, "h" if signed else "H", element.value)]
    values = numbers(dataset, name)
    return [int(value) for value in values] if all(map(float.is_integer, values)) else []


def integer(dataset: Dataset, name: str | int) -> int | None:
    """The only value of an integer element; None if it is absent, several, or no integer."""
    values = integers(dataset, name)
    return values[0] if len(values) == 1 else None


def items(dataset: Dataset, name: str) -> Sequence[Dataset]:
    """The items of a sequence, () if it is absent.

    RejectError(CORRUPT) if it cannot be parsed, (TOO_LARGE) above 1,000 items, counted with those
    inside them.
    """
    tag = tag_number(name)
    if tag not in dataset:
        return ()
    _require_few_items(dataset.get_item(tag, keep_deferred=True), name)
    try:
        value = dataset[tag].value
    except PARSE_ERRORS as error:
        raise RejectError(Reason.CORRUPT, f"the sequence {name} cannot be parsed") from error
    if not value:
        return ()
    if not all(isinstance(item, Dataset) for item in value):
        raise RejectError(Reason.CORRUPT, f"{name} is not a sequence")
    return tuple(value)


def _require_few_items(element: object, name: str) -> None:
    """Of a sequence that is not parsed yet; the others were counted while they were."""
    if not isinstance(element, RawDataElement) or not element.value:
        return
    if element.VR not in (None, "SQ", "UN"):
        raise RejectError(Reason.CORRUPT, f"{name} is not a sequence")
    if max(map(element.value.count, ITEM_TAGS)) > MAX_ITEMS:
        raise RejectError(Reason.TOO_LARGE, f"{name} has more than {MAX_ITEMS} items")


def _vr(element: RawDataElement) -> str:
    """The VR in the file, or the dictionary's where the file does not say."""
    return element.VR if element.VR not in (None, "UN") else dictionary_VR(element.tag)


def _unpack(element: RawDataElement, code: str, value: bytes) -> list[float]:
    width = struct.calcsize(code)
    count = len(value) // width
    order = "<" if element.is_little_endian else ">"
    return [float(v) for v in struct.unpack(f"{order}{count}{code}", value[: count * width])]


def _number(value: str) -> float:
    trimmed = value.strip(" \0")
    try:
        return math.nan if "_" in trimmed else float(trimmed)
    except ValueError:
        return math.nan


def _decode(dataset: Dataset, value: bytes) -> str:
    """Text in the data set's character set; what does not fit it is replaced."""
    if value.isascii() and b"\x1b" not in value:
        return value.decode("ascii")
    encodings = dataset.original_character_set
    names = [encodings] if isinstance(encodings, str) else list(encodings)
    try:
        return decode_bytes(value, names, _TEXT_DELIMITERS)
    except PARSE_ERRORS:
        return value.decode("latin-1")
