"""Which codestream a payload holds, and whether it agrees with the header.

The codestream is the truth: its own header says what it is, the transfer syntax only what it
should be. Where the two differ and the payload is unmistakable, it is taken and flagged (PS3.5
8.2.4); a size that differs from Rows and Columns is refused before any decoder sees the data.
"""

from dataclasses import dataclass
from typing import Final

from dali_pipelines.codestream.rle import HEADER_BYTES, check_rle
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.dicom.encapsulation import Payload, PixelElement
from dali_pipelines.dicom.pixel_format import PixelFormat
from dali_pipelines.dicom.uids import (
    ENCAPSULATED_SYNTAXES,
    JPEG_LOSSLESS_SV1,
    LOSSLESS_SYNTAXES,
    NATIVE_SYNTAXES,
    RLE_LOSSLESS,
)
from dali_pipelines.records import StreamInfo, StreamKind
from dali_pipelines.storage.archive import MAX_INFLATED_BYTES
from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Flag, Reason, RejectError

HEAD_BYTES: Final = 1 << 16  # holds nearly every codestream's header, and the JP2 boxes before it

_MAGIC: Final = (
    b"\xff\x4f\xff\x51",  # SOC SIZ, T.800 A.4.1
    b"\xff\xd8\xff",  # SOI and a marker, T.81 B.1.1.3; JPEG-LS alike
    b"\x00\x00\x00\x0cjP  ",  # JP2 signature box, T.800 I.5.1
)


@dataclass(frozen=True, slots=True)
class Identified:
    """The codestream's own facts, where its bytes lie, and what is odd about it."""

    stream: StreamInfo
    fragments: tuple[tuple[int, int], ...]
    flags: tuple[Flag, ...]


def identify(
    view: ByteView,
    element: PixelElement,
    payload: Payload,
    syntax_uid: str,
    pixel_format: PixelFormat,
) -> Identified:
    """What the payload is; only its first 64 KiB are read, unless its header goes on after them.

    RejectError: GEOMETRY where size or components differ from the header, TRUNCATED where native
    data are too short, SYNTAX where payload and transfer syntax do not go together and the payload
    does not say what it is, CORRUPT, UNSUPPORTED.
    """
    head = read_head(view, payload.fragments)
    if not payload.encapsulated and (
        not head.startswith(_MAGIC) or _is_native_size(payload, syntax_uid, pixel_format)
    ):
        return _native(element, payload, syntax_uid, pixel_format)
    if head.startswith(_MAGIC):
        stream = _read_stream(view, payload, head)
    else:
        stream = _rle(head, payload, syntax_uid, pixel_format)
    _require_same_shape(stream, pixel_format)
    flags = (*payload.flags, *_disagreements(stream, payload, syntax_uid, pixel_format))
    return Identified(stream, payload.fragments, flags)


def read_head(
    view: ByteView, fragments: tuple[tuple[int, int], ...], most: int = HEAD_BYTES
) -> bytes:
    """The first `most` bytes of the fragments put together."""
    parts: list[bytes] = []
    left = most
    for offset, length in fragments:
        if left <= 0:
            break
        parts.append(view.peek(offset, min(length, left)))
        left -= length
    return b"".join(parts)


def _read_stream(view: ByteView, payload: Payload, head: bytes) -> StreamInfo:
    """The codestream's facts from its head, or from all of it: color profiles may come first."""
    try:
        return read_stream_info(head)
    except RejectError as error:
        if error.reason is not Reason.TRUNCATED or payload.size <= len(head):
            raise
    return read_stream_info(read_head(view, payload.fragments, MAX_INFLATED_BYTES))


def _is_native_size(payload: Payload, syntax_uid: str, pixel_format: PixelFormat) -> bool:
    """Whether the size leaves no doubt: the first pixels may look like a codestream by chance."""
    needed = pixel_format.native_bytes
    return syntax_uid in NATIVE_SYNTAXES and payload.size in (needed, needed + needed % 2)


def _native(
    element: PixelElement, payload: Payload, syntax_uid: str, pixel_format: PixelFormat
) -> Identified:
    """Uncompressed pixels: exactly the bytes that the size asks for."""
    needed, there = pixel_format.native_bytes, payload.size
    labeled = syntax_uid in NATIVE_SYNTAXES
    padded = needed + needed % 2
    if not labeled and (syntax_uid not in ENCAPSULATED_SYNTAXES or there not in (needed, padded)):
        raise RejectError(
            Reason.SYNTAX,
            f"{there} bytes of native pixel data, {needed} expected, under a transfer syntax that "
            "is not a native one",
        )
    if there < needed:
        raise RejectError(
            Reason.TRUNCATED,
            f"the pixel data have {there} bytes, {needed} were expected; fetch the file again",
        )
    if not element.little and pixel_format.bits_allocated == 8 and element.vr == "OW":
        raise RejectError(
            Reason.UNSUPPORTED, "8-bit pixels in big-endian 16-bit words; convert the file"
        )
    flags = list(payload.flags)
    if there > padded:
        flags.append(Flag.EXCESS_BYTES)
    if not labeled:
        flags.append(Flag.SYNTAX_MISMATCH)
    start = payload.fragments[0][0]
    return Identified(_tagged_stream("raw", pixel_format), ((start, needed),), tuple(flags))


def _rle(head: bytes, payload: Payload, syntax_uid: str, pixel_format: PixelFormat) -> StreamInfo:
    """RLE, if its header says so; the error is about what was announced."""
    pixels = pixel_format.rows * pixel_format.columns
    try:
        check_rle(head[:HEADER_BYTES], payload.size, pixels, pixel_format.bits_allocated)
    except RejectError as error:
        if syntax_uid == RLE_LOSSLESS:
            raise
        if syntax_uid in ENCAPSULATED_SYNTAXES:
            kind = ENCAPSULATED_SYNTAXES[syntax_uid]
            raise RejectError(
                Reason.CORRUPT, f"the pixel data do not begin like the {kind} that was announced"
            ) from error
        raise RejectError(
            Reason.SYNTAX,
            "the transfer syntax does not say how the pixel data are packed, and nor do they",
        ) from error
    return _tagged_stream("rle", pixel_format)


def _tagged_stream(kind: StreamKind, pixel_format: PixelFormat) -> StreamInfo:
    """The facts of a stream that has no header of its own: the tags."""
    return StreamInfo(
        kind=kind,
        height=pixel_format.rows,
        width=pixel_format.columns,
        components=1,
        precision=pixel_format.bits_stored,
        signed=pixel_format.signed,
    )


def _require_same_shape(stream: StreamInfo, pixel_format: PixelFormat) -> None:
    found = (stream.height, stream.width, stream.components)
    wanted = (pixel_format.rows, pixel_format.columns, 1)
    if found != wanted:
        raise RejectError(
            Reason.GEOMETRY,
            f"the codestream has {found[0]} rows, {found[1]} columns and {found[2]} components, "
            f"the header says {wanted[0]}, {wanted[1]} and 1",
        )


def _disagreements(
    stream: StreamInfo, payload: Payload, syntax_uid: str, pixel_format: PixelFormat
) -> list[Flag]:
    announced = payload.encapsulated and ENCAPSULATED_SYNTAXES.get(syntax_uid) == stream.kind
    if syntax_uid == JPEG_LOSSLESS_SV1 and stream.predictor != 1:
        announced = False
    has_sign = stream.kind in ("j2k", "htj2k")  # no other codestream states one
    found = {
        Flag.SYNTAX_MISMATCH: not announced,
        Flag.LOSSY_IN_LOSSLESS: stream.lossy and syntax_uid in LOSSLESS_SYNTAXES,
        Flag.SIGN_MISMATCH: has_sign and stream.signed != pixel_format.signed,
        Flag.PRECISION_MISMATCH: stream.precision != pixel_format.bits_stored,
        Flag.BOXED: stream.boxed,
    }
    return [flag for flag, present in found.items() if present]
