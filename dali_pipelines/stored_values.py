"""Where the stored value lies in what a decoder gives, and which of two is shown brighter."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.dicom.uids import EXPLICIT_BIG_ENDIAN
from dali_pipelines.records import Grayscale, ImageRecord, StreamInfo

_BLOCK: Final = 1 << 20  # pixels that are compared at once, so that what it takes is a few MiB


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
    """The bytes of a native frame whose stored values are the brighter of those of two, (n,) uint8.

    The order is that of `keep_brighter`; bits that belong to no stored value are 0.
    """
    most = _native_patterns(one, record)
    keep_brighter(most, _native_patterns(other, record), record.grayscale)
    cells = most << np.uint16(_native_shift(record))
    found: NDArray[np.uint8] = cells.astype(native_type(record)).view(np.uint8)
    return found


def _native_patterns(data: NDArray[np.uint8], record: ImageRecord) -> NDArray[np.uint16]:
    values = data.view(native_type(record)).astype(np.uint16)
    values >>= np.uint16(_native_shift(record))
    values &= np.uint16((1 << record.grayscale.bits) - 1)
    return values


def _native_shift(record: ImageRecord) -> int:
    return record.tags.high_bit + 1 - record.tags.bits_stored


def keep_brighter(
    most: NDArray[np.uint16], other: NDArray[np.uint16], grayscale: Grayscale
) -> None:
    """Put into `most` what is brighter in `other`; both are bit patterns of one shape.

    A maximum intensity projection shows the brightest, which is the least stored value where the
    display falls with it: inverted, or by the modality step. VOI LUTs are taken to rise. Padding is
    no measurement and gives way to all that is not.
    """
    flat, others = most.reshape(-1), other.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block, new = flat[start : start + _BLOCK], others[start : start + _BLOCK]
        key, new_key = _ordered(block, grayscale), _ordered(new, grayscale)
        brighter = new_key < key if _falls(grayscale) else new_key > key
        if grayscale.padding is not None:
            padding, new_padding = _is_padding(key, grayscale), _is_padding(new_key, grayscale)
            brighter = (brighter | padding) & ~new_padding
        np.copyto(block, new, where=brighter)


def _ordered(patterns: NDArray[np.uint16], grayscale: Grayscale) -> NDArray[np.uint16]:
    """Unsigned numbers in the order of the stored values: two's complement, its sign bit turned."""
    return patterns ^ np.uint16(_offset(grayscale))


def _offset(grayscale: Grayscale) -> int:
    return 1 << grayscale.bits - 1 if grayscale.signed else 0


def _is_padding(ordered: NDArray[np.uint16], grayscale: Grayscale) -> NDArray[np.bool_]:
    assert grayscale.padding is not None
    low, high = (end + _offset(grayscale) for end in grayscale.padding)
    return (ordered >= low) & (ordered <= high)


def _falls(grayscale: Grayscale) -> bool:
    """Whether greater stored values are shown darker, by the modality step and the polarity."""
    lut = grayscale.modality_lut
    falling = grayscale.slope < 0 if lut is None else bool(lut.values[-1] < lut.values[0])
    return falling != grayscale.invert
