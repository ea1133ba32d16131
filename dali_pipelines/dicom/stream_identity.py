"""Which codestream a payload holds, and whether it agrees with the header.

The codestream is the truth: its own header says what it is, the transfer syntax only what it
should be. Where the two differ and the payload is unmistakable, it is taken and flagged (PS3.5
8.2.4); a size that differs from Rows and Columns is refused before any decoder sees the data.
"""

from dataclasses import dataclass, replace
from typing import Final

from dali_pipelines.codestream.rle import HEADER_BYTES, check_rle, require_row_length
from dali_pipelines.codestream.stream import MAGIC, read_stream_info
from dali_pipelines.dicom.encapsulation import Payload, PixelElement
from dali_pipelines.dicom.pixel_format import PixelFormat
from dali_pipelines.dicom.uids import (
    ENCAPSULATED_SYNTAXES,
    IMPLICIT_LITTLE_ENDIAN,
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
    found = _identify(view, element, payload, syntax_uid, pixel_format)
    if _other_vrs(element, syntax_uid) and Flag.SYNTAX_MISMATCH not in found.flags:
        return replace(found, flags=(*found.flags, Flag.SYNTAX_MISMATCH))
    return found


def _other_vrs(element: PixelElement, syntax_uid: str) -> bool:
    """Whether VRs are implicit though the syntax says explicit, or the other way round."""
    return (element.vr == "") != (syntax_uid == IMPLICIT_LITTLE_ENDIAN)


def _identify(
    view: ByteView,
    element: PixelElement,
    payload: Payload,
    syntax_uid: str,
    pixel_format: PixelFormat,
) -> Identified:
    head = read_head(view, payload.fragments)
    if not payload.encapsulated and (
        not head.startswith(MAGIC) or _is_native_size(payload, syntax_uid, pixel_format)
    ):
        return _native(element, payload, syntax_uid, pixel_format)
    if head.startswith(MAGIC):
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
    """Uncompressed pixels: exactly the bytes that the size asks for, in whole words if swapped."""
    start = payload.fragments[0][0]
    swapped = not element.little and pixel_format.bits_allocated == 8 and element.vr == "OW"
    cut = payload.size < element.length  # one frame of several
    if swapped and cut and (payload.size % 2 or (start - element.offset) % 2):
        raise RejectError(
            Reason.UNSUPPORTED,
            "frames begin or end inside a big-endian word of two 8-bit pixels; convert the file",
        )
    padded = pixel_format.native_bytes + pixel_format.native_bytes % 2
    needed = padded if swapped else pixel_format.native_bytes
    _require_native_bytes(payload.size, (needed, padded), syntax_uid)
    flags = list(payload.flags)
    if payload.size > padded:
        flags.append(Flag.EXCESS_BYTES)
    if syntax_uid not in NATIVE_SYNTAXES:
        flags.append(Flag.SYNTAX_MISMATCH)
    stream = replace(_tagged_stream("raw", pixel_format), swapped=swapped)
    return Identified(stream, ((start, needed),), tuple(flags))


def _require_native_bytes(there: int, wanted: tuple[int, int], syntax_uid: str) -> None:
    """RejectError unless enough bytes are there; exactly those wanted under a compressed label."""
    labeled = syntax_uid in NATIVE_SYNTAXES
    if not labeled and (syntax_uid not in ENCAPSULATED_SYNTAXES or there not in wanted):
        raise RejectError(
            Reason.SYNTAX,
            f"{there} bytes of native pixel data, {wanted[0]} expected, under a transfer syntax "
            "that is not a native one",
        )
    if there < wanted[0]:
        raise RejectError(
            Reason.TRUNCATED,
            f"the pixel data have {there} bytes, {wanted[0]} were expected; fetch the file again",
        )


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
    require_row_length(head, pixel_format.rows, pixel_format.columns)
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
