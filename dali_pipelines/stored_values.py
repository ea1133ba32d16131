"""Where the stored value lies in what a decoder gives: how far above bit 0, and how many bits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.dicom.uids import EXPLICIT_BIG_ENDIAN
from dali_pipelines.records import ImageRecord, StreamInfo


def stream_shift(record: ImageRecord) -> int:
    """How far a codestream's values lie above bit 0: 0, but for an odd High Bit.

    Some writers code the cells of the pixel data as they are, so that BitsStored bits hang from
    HighBit in a codestream of 16 bits. Native values are shifted as they are read.
    """
    tags, stream = record.tags, record.stream
    if stream.kind in {"raw", "rle"} or stream.precision <= tags.high_bit:
        return 0
    return tags.high_bit + 1 - tags.bits_stored


def spread_shift(stream: StreamInfo) -> int:
    """How far up DALI spreads a codestream's p bits when it fills 16 with them, as on the GPU.

    It gives round(v * 65535 / (2**p - 1)). That fraction is v * 2**(16 - p) and less than
    2**(16 - p) more, also once it is rounded, so that a shift right by 16 - p gives v.
    """
    return 16 - stream.precision


def stored_patterns(
    values: NDArray[np.uint16], shift: int, record: ImageRecord
) -> NDArray[np.uint16]:
    """The stored values' bit patterns (H, W) uint16, without what lies above or below them."""
    top = np.uint16((1 << record.grayscale.bits) - 1)
    return (values >> np.uint16(shift)) & top


def native_type(record: ImageRecord) -> np.dtype[Any]:
    """The type of one cell of native pixel data. PS3.5 8.1.1."""
    order = ">" if record.tags.transfer_syntax_uid == EXPLICIT_BIG_ENDIAN else "<"
    return np.dtype(f"{order}u{record.tags.bits_allocated // 8}")


def native_maximum(
    one: NDArray[np.uint8], other: NDArray[np.uint8], record: ImageRecord
) -> NDArray[np.uint8]:
    """The bytes of a native frame whose stored values are the maximum of those of two, (n,) uint8.

    Signed values are compared as such; bits that belong to no stored value are 0.
    """
    tags, kind = record.tags, native_type(record)
    mask = (1 << tags.bits_stored) - 1 << tags.high_bit + 1 - tags.bits_stored
    sign = 1 << tags.high_bit if tags.signed else 0  # turned over, the order is that of unsigned
    used, turned = np.array([mask, sign], kind)
    cells = [(data.view(kind) & used) ^ turned for data in (one, other)]
    most: NDArray[np.uint8] = (np.maximum(*cells) ^ turned).astype(kind).view(np.uint8)
    return most
