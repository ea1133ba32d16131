"""One item of a LUT sequence -> Lut. PS3.3 C.11.1.1.1 and C.11.2.1.1.

The number of entries and of bits are unsigned even where the VR came as SS. LUT data are US or OW;
8-bit entries may be packed two to a word. All is read from the raw bytes.
"""

import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from dali_pipelines.dicom.tag_values import raw_element
from dali_pipelines.records import Lut

_DESCRIPTOR_BYTES: Final = 6
_FULL_TABLE: Final = 1 << 16  # what 0 entries stand for
_BITS: Final = range(8, 17)  # 8 and 16; 10 ... 16 in mammography; 8 ... 16 in presentation states


def read_lut(item: Dataset, *, signed_input: bool) -> tuple[Lut | None, bool]:
    """The table of one item, None if it is unusable, and whether it is as its descriptor says.

    Too short is unusable; of too long a table the first entries count. `signed_input`: the values
    that are looked up may be negative.
    """
    descriptor = raw_element(item, "LUTDescriptor")
    data = raw_element(item, "LUTData")
    if descriptor is None or data is None or not descriptor.value or not data.value:
        return None, False
    if len(descriptor.value) != _DESCRIPTOR_BYTES:
        return None, False
    order = "<" if descriptor.is_little_endian else ">"
    entries, first, bits = struct.unpack(f"{order}3H", descriptor.value)
    entries = entries or _FULL_TABLE
    if signed_input or descriptor.VR == "SS":
        (first,) = struct.unpack(f"{order}h", descriptor.value[2:4])
    values = _entries(data.value, entries, bits, order)
    if values is None or bits not in _BITS:
        return None, False
    length = len(data.value)
    exact = length == 2 * entries or entries <= length <= entries + 1
    return Lut(first=first, bits=bits, data=values.tobytes()), exact


def _entries(data: bytes, entries: int, bits: int, order: str) -> NDArray[np.uint16] | None:
    """The first `entries` entries as (n,) little-endian uint16; None if there are fewer."""
    if len(data) >= 2 * entries:
        return np.frombuffer(data, f"{order}u2", entries).astype("<u2")
    if bits == 8 and entries <= len(data) <= entries + 1:
        packed = np.frombuffer(data, np.uint8)
        if order == ">":  # the first entry is in the low byte of the first word
            packed = packed[: len(data) // 2 * 2].reshape(-1, 2)[:, ::-1].ravel()
        return packed[:entries].astype("<u2")
    return None
