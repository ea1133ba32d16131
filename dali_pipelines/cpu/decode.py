"""One codestream to its stored values on the CPU: imagecodecs for the codecs, NumPy for raw.

Takes what the reader proved complete; still holds every decoder to the announced shape. Where a
decoder is lenient the proof is ours: a lossless JPEG must use up exactly its bits. All values are
bit patterns, unsigned; a signed value is its two's complement in `Grayscale.bits` bits.
"""

from collections.abc import Callable
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.bit_budget import prove_decoded
from dali_pipelines.codestream.rle import HEADER_BYTES, check_rle
from dali_pipelines.cpu.htj2k import decode_by_openjph
from dali_pipelines.cpu.packets import require_all_packets
from dali_pipelines.records import ImageRecord, StreamKind
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.stored_values import (
    keep_brighter,
    native_type,
    stored_patterns,
    stream_shift,
)
from dali_pipelines.verdicts import Reason, RejectError

_Array = NDArray[Any]

# imagecodecs loads a codec when it is first asked for, and for good not, if memory is bounded then.
_LOADED: Final = (
    imagecodecs.dicomrle_decode,
    imagecodecs.htj2k_decode,
    imagecodecs.jpeg2k_decode,
    imagecodecs.jpeg8_decode,
    imagecodecs.jpegls_decode,
)


def decode(encoded: Encoded) -> Pixels:
    """The stored values of one image, (H, W) uint16, with shift 0 but for an odd High Bit.

    Of several frames the brightest value of each pixel (`stored_values.keep_brighter`); one frame
    is decoded at a time.
    Raises RejectError(CORRUPT) where the decoder refuses the data, (GEOMETRY) where it gives
    another shape than the codestream announced, (TRUNCATED) for a lossless JPEG whose bits do not
    add up, and (OUT_OF_MEMORY), which says nothing about the file.
    """
    record = encoded.record
    try:
        return _decode_maximum(encoded) if encoded.frames > 1 else _decode(encoded)
    except MemoryError as error:
        size = f"{record.stream.height} x {record.stream.width}"
        raise RejectError(
            Reason.OUT_OF_MEMORY, f"no memory left to decode {size} px; use fewer threads"
        ) from error


def _decode_maximum(encoded: Encoded) -> Pixels:
    """The brightest of all frames, without what lies above or below the stored values."""
    record = encoded.record
    most: NDArray[np.uint16] | None = None
    end = 0
    for size in encoded.sizes:
        pixels = _decode(Encoded(encoded.data[end : end + size], record))
        end += size
        values = stored_patterns(np.asarray(pixels.values), pixels.shift, record)
        if most is None:
            most = values
        else:
            keep_brighter(most, values, record.grayscale)
    assert most is not None
    return Pixels(most)


def _decode(encoded: Encoded) -> Pixels:
    record = encoded.record
    kind = record.stream.kind
    try:
        values = _DECODERS[kind](encoded.data, record)
    except RejectError:
        raise
    except (RuntimeError, ValueError) as error:  # their texts may hold anything: only the class
        raise RejectError(
            Reason.CORRUPT, f"the {kind} decoder refused the codestream ({type(error).__name__})"
        ) from error
    wanted = (record.stream.height, record.stream.width)
    if values.shape != wanted:
        raise RejectError(
            Reason.GEOMETRY,
            f"the {kind} decoder gave shape {values.shape}, the codestream says {wanted}",
        )
    if kind == "jpeg_lossless":
        prove_decoded(encoded.data.data, record.stream, values.astype(np.uint16, copy=False))
    shift = stream_shift(record)
    bits = 16 if shift else record.grayscale.bits  # the window step drops what lies above
    return Pixels(_bit_patterns(values, bits), shift)


def _bit_patterns(values: _Array, bits: int) -> NDArray[np.uint16]:
    """Values of any integer type as uint16 patterns of `bits` bits, in their own memory if it fits.

    Copies of 8.5 MP cost more than a mask in place: 5.3 ms against 0.3 (one core).
    """
    patterns = values.view(np.uint16) if values.itemsize == 2 else values.astype(np.uint16)
    if bits < 16:
        patterns &= np.uint16((1 << bits) - 1)
    return patterns


def _decode_raw(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    """Native pixel data: little or big endian words, shifted down to bit 0. PS3.5 8.1.1, 8.1.2."""
    tags = record.tags
    count = tags.rows * tags.columns
    kind = native_type(record)
    needed = count * kind.itemsize
    if len(data) < needed:
        raise RejectError(
            Reason.TRUNCATED, f"the pixel data has {len(data)} bytes, {needed} were expected"
        )
    if record.stream.swapped:
        data = data[: len(data) // 2 * 2].view(">u2").astype("<u2").view(np.uint8)
    words = data[:needed].view(kind).reshape(tags.rows, tags.columns).astype(np.uint16)
    words >>= np.uint16(_unused_low_bits(record))
    return words


def _decode_rle(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    """Byte planes of PackBits, most significant first. PS3.5 Annex G.

    The decoder dies of an offset beyond the data, so the header is checked here too.
    """
    tags = record.tags
    pixels = tags.rows * tags.columns
    check_rle(data[:HEADER_BYTES].tobytes(), len(data), pixels, tags.bits_allocated)
    flat = imagecodecs.dicomrle_decode(data, f"<u{tags.bits_allocated // 8}")
    words = np.frombuffer(flat, f"<u{tags.bits_allocated // 8}")
    if len(words) < pixels:
        raise RejectError(
            Reason.TRUNCATED, f"the RLE data holds {len(words)} values, {pixels} were expected"
        )
    if len(words) > pixels:
        raise RejectError(
            Reason.GEOMETRY,
            f"the RLE data hold {len(words)} values, the header says {tags.rows} x {tags.columns}",
        )
    image = words.reshape(tags.rows, tags.columns).astype(np.uint16)
    image >>= np.uint16(_unused_low_bits(record))
    return image


def _unused_low_bits(record: ImageRecord) -> int:
    return record.tags.high_bit + 1 - record.tags.bits_stored


def _decode_j2k(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    """What OpenJPEG gives, strict, for all packets."""
    require_all_packets(data, record.stream)
    return _decode_by_openjpeg(data)


def _decode_htj2k(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    """What OpenJPEG gives, by OpenJPH where OpenJPEG was seen to read it: cut ones pass there."""
    is_read = require_all_packets(data, record.stream)
    values = decode_by_openjph(data, record) if is_read else None
    return _decode_by_openjpeg(data) if values is None else values


def _decode_by_openjpeg(data: NDArray[np.uint8]) -> _Array:
    return np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1))


def _decode_jpeg(data: NDArray[np.uint8], _record: ImageRecord) -> _Array:
    return np.asarray(imagecodecs.jpeg8_decode(data))  # libjpeg-turbo 3, 2 ... 16 bits


def _decode_jpegls(data: NDArray[np.uint8], _record: ImageRecord) -> _Array:
    return np.asarray(imagecodecs.jpegls_decode(data))  # CharLS


_DECODERS: Final[dict[StreamKind, Callable[[NDArray[np.uint8], ImageRecord], _Array]]] = {
    "raw": _decode_raw,
    "rle": _decode_rle,
    "j2k": _decode_j2k,
    "htj2k": _decode_htj2k,
    "jpeg_lossless": _decode_jpeg,
    "jpeg_dct": _decode_jpeg,
    "jpegls": _decode_jpegls,
}
