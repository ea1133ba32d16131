"""Where the stored value lies in what a decoder gives: how far above bit 0, and how many bits."""

import numpy as np
from numpy.typing import NDArray

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
