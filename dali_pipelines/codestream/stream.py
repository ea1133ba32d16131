"""What a codestream says of itself, where it ends, and whether all of it is there.

Nothing here decodes. These checks come before any decoder, because most decoders return a picture
for half a file; the tags of the header are compared with these facts, never the other way round.
"""

from dataclasses import replace
from typing import Final

from dali_pipelines.codestream import j2k, jp2, jpeg
from dali_pipelines.codestream.markers import Buffer, Extent, corrupt
from dali_pipelines.codestream.rle import end_of_rle
from dali_pipelines.records import StreamInfo
from dali_pipelines.verdicts import Flag

__all__ = ["MAGIC", "Buffer", "bare_codestream", "prove_complete", "read_stream_info"]

MAGIC: Final = (  # how every codestream begins that says what it is; RLE does not
    b"\xff\x4f\xff\x51",  # SOC SIZ, T.800 A.4.1
    b"\xff\xd8\xff",  # SOI and a marker, T.81 B.1.1.3; JPEG-LS alike
    jp2.SIGNATURE[:8],  # length and type of the first box, T.800 I.5.1
)

_MEASURES: Final = {
    "j2k": j2k.measure,
    "htj2k": j2k.measure,
    "jpeg_dct": jpeg.measure,
    "jpeg_lossless": jpeg.measure,
    "jpegls": jpeg.measure,
}
_PADDING: Final = 1  # bytes that DICOM may add to make a fragment's length even (PS3.5 A.4)


def read_stream_info(data: Buffer) -> StreamInfo:
    """The facts in the header of a JPEG 2000, HTJ2K, JPEG or JPEG-LS stream, bare or in JP2 boxes.

    `data` are its bytes from the first one on; the first 64 KiB suffice. RejectError(CORRUPT) where
    the header is damaged or of no such format, (UNSUPPORTED) where it is sound but of a kind that
    nothing here decodes, (TRUNCATED) where the data end inside it.
    """
    view = memoryview(data)
    boxed = jp2.is_boxed(view)
    inner = _unboxed(view)
    magic = bytes(inner[:2])
    if magic == b"\xff\x4f":
        info = j2k.read_header(inner)
    elif magic == b"\xff\xd8" and not boxed:
        info = jpeg.read_header(inner)
    else:
        raise corrupt(f"begins with {bytes(inner[:4]).hex()!r}, wanted ff4f, ffd8 or a JP2 box")
    return replace(info, boxed=boxed)


def bare_codestream(data: memoryview, info: StreamInfo) -> memoryview:
    """A view of `data` without JP2 boxes around the stream and without bytes after its end.

    Raw pixels come back as they are. Errors as those of `prove_complete`, since only a whole stream
    has an end.
    """
    extent = _measure(data, info)
    return data if extent is None else _unboxed(data)[: extent.end]


def prove_complete(data: memoryview, info: StreamInfo) -> tuple[Flag, ...]:
    """The flags of a complete stream; RejectError(TRUNCATED | CORRUPT) if anything is missing.

    `data` may be the bare stream or all bytes of the frame; only the latter can earn
    TRAILING_BYTES, for more than the one byte of padding that DICOM allows, behind the stream or
    the last JP2 box. BOXED repeats `info`.
    UNPROVEN: the format has no way to tell (DCT JPEG), or the encoder did not use it (see
    `j2k.measure`). A lossless JPEG passes here once its EOI is found; `bit_budget.prove_decoded`
    says the rest. Raw pixels are as many as the tags say; RLE is its decoder's to prove.
    """
    extent = _measure(data, info)
    if extent is None:
        return ()
    flags = []
    if info.boxed:
        flags.append(Flag.BOXED)
    behind = len(_unboxed(data)) - extent.end
    if info.boxed and jp2.is_boxed(data):
        behind += jp2.bytes_behind(data)
    if behind > _PADDING:
        flags.append(Flag.TRAILING_BYTES)
    if not extent.proven:
        flags.append(Flag.UNPROVEN)
    return tuple(flags)


def _measure(data: memoryview, info: StreamInfo) -> Extent | None:
    """The extent of the bare stream within its box, None for raw pixels."""
    if info.kind == "rle":
        return Extent(end_of_rle(data, info.height * info.width), proven=True)
    measure = _MEASURES.get(info.kind)
    return None if measure is None else measure(_unboxed(data))


def _unboxed(data: memoryview) -> memoryview:
    """The contents of the codestream box, or all of `data` where there are no boxes."""
    if not jp2.is_boxed(data):
        return data
    start, end = jp2.find_codestream(data)
    return data[start:end]
