"""Sound files in every syntax, and all the ways of leaving out their end.

A cut is made at random places and at every boundary of the structure, one byte before it and one
after it: of elements, items, marker segments, tile-parts, boxes and RLE segments.
"""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom.encaps import encapsulate

from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from tests.fuzz.mutate_codestream import segments
from tests.fuzz.parts import Parts, take_apart
from tests.fuzz.tiles import TilePart, encode_tiles, join, split, untold

PLAIN = ("raw", "implicit", "deflated", "rle", "j2k", "j2k_boxed", "htj2k", "jpegls", "jpeg_sv1")
MADE = ("jpeg_lossless", "j2k tiles", "htj2k tile-parts")
ODD = {  # tiles whose edges no power of 2 divides, (height, width)
    "j2k odd tiles": (77, 77),
    "j2k odd small tiles": (33, 65),
    "htj2k odd tiles": (77, 77),
    "htj2k odd small tiles": (33, 65),
}
DCT = ("jpeg_dct 8", "jpeg_dct 12")
# Pillow, the one encoder of odd J2K tiles here, mixes up tiles of 16-bit values.
_EIGHT_BITS = {"jpeg_dct 8", "j2k odd tiles", "j2k odd small tiles"}
ALL = 1 << 30
END = b"\xff\xd9"  # EOI of JPEG and JPEG-LS, EOC of JPEG 2000
MARKED = (b"\xff\xd8", b"\xff\x4f", b"\0\0")  # SOI, SOC, and the length of a JP2 signature box


def sound_file(folder: Path, syntax: str, values: np.ndarray) -> bytes:
    """A file of the values (H, W), 12 bit; of their top 8 bits where `sound_values` says so."""
    path = folder / "sound.dcm"
    if syntax in PLAIN:
        write_dicom(path, values, HeaderSpec(syntax=syntax))
        return path.read_bytes()
    if syntax == "jpeg_lossless":
        write_dicom(path, values, HeaderSpec(syntax=syntax, predictor=4, tables_first=True))
        return path.read_bytes()
    precision = 8 if syntax in _EIGHT_BITS else 12
    write_dicom(path, sound_values(syntax, values), HeaderSpec(precision=precision))
    header = pydicom.dcmread(path)
    header.file_meta.TransferSyntaxUID = _UIDS[syntax]
    header.PixelData = encapsulate([_encode(syntax, values)])
    header["PixelData"].VR = "OB"
    header.save_as(path)
    return path.read_bytes()


def sound_values(syntax: str, values: np.ndarray) -> np.ndarray:
    """What a whole file of that syntax holds of values of 12 bit: all of them, or their top 8."""
    return values >> 4 if syntax in _EIGHT_BITS else values


_UIDS = {
    **{name: f"1.2.840.10008.1.2.4.{90 if name[0] == 'j' else 201}" for name in ODD},
    "j2k tiles": "1.2.840.10008.1.2.4.90",
    "htj2k tile-parts": "1.2.840.10008.1.2.4.201",
    "jpeg_dct 8": "1.2.840.10008.1.2.4.50",
    "jpeg_dct 12": "1.2.840.10008.1.2.4.51",
}


def _encode(syntax: str, values: np.ndarray) -> bytes:
    if syntax == "j2k tiles":
        return encode_tiles(values, 12)
    if syntax.startswith("j2k odd"):
        return _encode_odd(values >> 4, ODD[syntax])
    if syntax.startswith("htj2k odd"):
        return bytes(imagecodecs.htj2k_encode(values, reversible=True, tile=ODD[syntax]))
    if syntax == "htj2k tile-parts":
        return bytes(imagecodecs.htj2k_encode(values, reversible=True, tile=(64, 64), tilepart=3))
    if syntax == "jpeg_dct 8":
        return bytes(imagecodecs.jpeg8_encode((values >> 4).astype(np.uint8), 90))
    return bytes(imagecodecs.jpeg8_encode(values, 90, bitspersample=12))


def _encode_odd(values: np.ndarray, tile: tuple[int, int]) -> bytes:
    """Lossless JPEG 2000 of 8 bit in tiles of any (height, width)."""
    stream = io.BytesIO()
    picture = Image.fromarray(values.astype(np.uint8))
    picture.save(stream, "JPEG2000", no_jp2=True, irreversible=False, tile_size=tile[::-1])
    return stream.getvalue()


def cut_files(
    whole: bytes, rng: np.random.Generator, count: int, most: int = ALL
) -> Iterator[bytes]:
    """The file up to a place before the last byte of its codestream; `most` boundaries, if many."""
    parts = take_apart(whole)
    end = len(whole) - 1 if parts.deflated else _offset_of_frame(whole, parts) + len(bare(parts))
    near = _around(_file_boundaries(whole, parts), rng, most)
    for at in _places(near, 0, end, rng, count):
        yield whole[:at]


def cut_streams(
    whole: bytes, rng: np.random.Generator, count: int, most: int = ALL
) -> Iterator[bytes]:
    """The codestream up to a place, in a file of right lengths, closed with its end mark if any.

    Plain samples get the element length that they have left, a deflate stream its proper end; RLE
    is cut in its first segment as well, the second one moved up and its offset with it.
    """
    frame = bare(take_apart(whole))
    ending = END if frame.startswith(MARKED) and take_apart(whole).fragments else b""
    near = _around(_stream_boundaries(frame), rng, most)
    for at in _places(near, 1, len(frame) - len(ending), rng, count):
        yield _with_frame(whole, frame[:at] + ending)
        if _is_rle(whole, frame):
            yield _with_frame(whole, _cut_first_segment(frame, at))


def cut_tiles(whole: bytes, told: bool, open_end: bool) -> Iterator[bytes]:
    """Files that lack the last tile-part, the last two, ... down to one, closed with EOC."""
    header, parts = split(bare(take_apart(whole)))
    for kept in range(1, len(parts)):
        left = parts[:kept] if told else untold(parts[:kept])
        yield _with_frame(whole, join(header, left, open_end=open_end))


def without_last_parts(whole: bytes, told: int | None) -> Iterator[bytes]:
    """Files in which each tile lacks its last tile-part, its last two, ...; all tiles are there.

    TNsot, which tells how many parts there are, is as it was where `told` is None, else 0 or (-1)
    made right.
    """
    header, parts = split(bare(take_apart(whole)))
    most = max(part.part for part in parts)
    for kept in range(1, most + 1):
        of = kept if told == -1 else told
        left: list[TilePart] = [
            part if of is None else part._replace(of=of) for part in parts if part.part < kept
        ]
        yield _with_frame(whole, join(header, left))


def cut_packets(whole: bytes, rng: np.random.Generator, count: int) -> Iterator[bytes]:
    """Files whose last tile-part was cut at `count` places, and its Psot made right."""
    header, parts = split(bare(take_apart(whole)))
    for end in sorted(rng.integers(2, len(parts[-1].body), count).tolist()):
        last = parts[-1]._replace(body=parts[-1].body[:end])
        yield _with_frame(whole, join(header, [*parts[:-1], last]))


def harmless_cuts(whole: bytes) -> Iterator[tuple[bytes, set[str]]]:
    """Files without some or all of their padding or end marks, and the flags that they must get."""
    parts = take_apart(whole)
    if parts.fragments is None:
        longer = take_apart(whole)
        longer.native.value += bytes(10)
        padded = longer.encode()
        for lost in range(1, 11):
            excess = {"excess_bytes"} if lost < 10 else set()
            yield padded[:-lost], {"length_beyond_eof"} | excess
        return
    for lost in range(1, 9):
        yield whole[:-lost], {"no_seq_delim"}
    frame = bare(parts)
    if not frame.startswith(MARKED):
        return
    for padding in range(3):
        flags = {"trailing_bytes"} if padding else set()
        yield _with_frame(whole, frame + bytes(len(frame) % 2 + 2 * padding)), flags
    odd = frame if len(frame) % 2 else _with_comment(frame)
    if odd is not None:
        padded = _with_frame(whole, odd)
        yield padded[:-9], {"no_seq_delim", "length_beyond_eof"}


def _with_comment(frame: bytes) -> bytes | None:
    """A codestream one byte longer, by a comment of one byte after SOI or before the first SOT."""
    if frame.startswith(b"\xff\xd8"):
        return frame[:2] + b"\xff\xfe\0\3c" + frame[2:]
    return None


def bare(parts: Parts) -> bytes:
    """The codestream without padding at its end; plain samples as they are."""
    frame = parts.frame
    return frame[: frame.rindex(END) + 2] if parts.fragments and frame.startswith(MARKED) else frame


def _with_frame(whole: bytes, frame: bytes) -> bytes:
    """The file with another codestream.

    Where no end mark follows, its length may be odd: a zero that makes it even would stand in for
    the one byte that was cut, and what is then wrong is a value, which only a checksum shows.
    """
    parts = take_apart(whole)
    parts.put_frame(frame)
    if parts.native is not None:
        parts.native.value = frame
    elif not frame.startswith(MARKED):
        parts.fragments[1:] = [frame]
    return parts.encode()


def _around(boundaries: list[int], rng: np.random.Generator, most: int) -> list[int]:
    """Each boundary, or `most` of them, and the bytes beside it."""
    if len(boundaries) > most:
        boundaries = rng.choice(boundaries, most, replace=False).tolist()
    return [at + step for at in boundaries for step in (-1, 0, 1)]


def _places(
    near: list[int], start: int, stop: int, rng: np.random.Generator, count: int
) -> list[int]:
    """`count` random places and all those of `near` in [start, stop)."""
    random = rng.integers(start, stop, count).tolist()
    return sorted({*random, *(at for at in near if start <= at < stop)})


def _offset_of_frame(whole: bytes, parts: Parts) -> int:
    first = parts.native.value if parts.fragments is None else parts.fragments[1]
    return whole.index(first)


def _file_boundaries(whole: bytes, parts: Parts) -> list[int]:
    """Offsets of all elements and items, and within the codestream."""
    if parts.deflated:
        return [128, 132, 132 + sum(len(element.encode()) for element in parts.meta)]
    found, at = [128, 132], 132
    for element in (*parts.meta, *parts.elements):
        at += len(element.encode())
        found.append(at)
    frame = _offset_of_frame(whole, parts)
    found += [at + 8, at + 12, frame - 8, frame]
    return found + [frame + offset for offset in _stream_boundaries(bare(parts))]


def _stream_boundaries(frame: bytes) -> list[int]:
    """Where segments begin and end; the 64 offsets of an RLE header for what has no markers."""
    found = [offset for segment in segments(frame) for offset in (segment.start, segment.end)]
    if frame.startswith(b"\0\0\0\x0cjP"):
        found += [frame.index(name) - 4 for name in (b"ftyp", b"jp2h", b"jp2c")]
    return found or [64, *struct.unpack_from("<15I", frame, 4), len(frame)]


def _is_rle(whole: bytes, frame: bytes) -> bool:
    return take_apart(whole).fragments is not None and not frame.startswith(MARKED)


def _cut_first_segment(frame: bytes, at: int) -> bytes:
    """RLE of two segments whose first is as much shorter as the frame cut at `at` would be."""
    count, first, second = struct.unpack_from("<3I", frame)
    lost = min(len(frame) - at, second - first)
    head = struct.pack("<3I", count, first, second - lost) + frame[12:first]
    return head + frame[first : second - lost] + frame[second:]
