"""JPEG 2000 of several tiles and tile-parts, made by hand: no encoder here writes it right.

Each tile is coded alone and put where it belongs, which holds for tiles of a power of 2 up to 64:
then no subband of a tile is cut otherwise than that of an image of its own (T.800 B.3 to B.7).
"""

import struct
from typing import NamedTuple

import imagecodecs
import numpy as np

TILE = 64
SIZ_FIELDS = 8  # offset of Xsiz in the stream: SOC, SIZ, Lsiz, Rsiz


class TilePart(NamedTuple):
    """Isot, TPsot and TNsot, and all that follows SOT in the tile-part."""

    tile: int
    part: int
    of: int
    body: bytes


def encode_tiles(values: np.ndarray, precision: int) -> bytes:
    """Lossless JPEG 2000 (H, W), multiples of 64, one tile-part for each 64 x 64 px tile."""
    streams = []
    for top in range(0, values.shape[0], TILE):
        for left in range(0, values.shape[1], TILE):
            tile = np.ascontiguousarray(values[top : top + TILE, left : left + TILE])
            streams.append(encode_one(tile, precision))
    taken = [split(stream) for stream in streams]
    headers = {restate_size(header, values.shape) for header, _ in taken}
    assert len(headers) == 1, "tiles that differ in size are coded in other ways"
    return join(
        headers.pop(), [TilePart(k, 0, 1, part.body) for k, (_, (part,)) in enumerate(taken)]
    )


def encode_one(values: np.ndarray, precision: int) -> bytes:
    """Lossless JPEG 2000 (H, W) of one tile."""
    return bytes(
        imagecodecs.jpeg2k_encode(
            values,
            level=0,
            codecformat="j2k",
            reversible=True,
            bitspersample=precision,
            resolutions=3,
        )
    )


def restate_size(header: bytes, shape: tuple[int, int]) -> bytes:
    """A main header whose SIZ tells this size of the image and tiles of 64 x 64 px."""
    height, width = shape
    fields = struct.pack(">8I", width, height, 0, 0, TILE, TILE, 0, 0)
    return header[:SIZ_FIELDS] + fields + header[SIZ_FIELDS + len(fields) :]


def split(stream: bytes) -> tuple[bytes, list[TilePart]]:
    """The main header and the tile-parts of a codestream whose Psot are all told."""
    at = stream.index(b"\xff\x90\x00\x0a")
    header, parts = stream[:at], []
    while stream[at : at + 2] == b"\xff\x90":
        tile, length, part, of = struct.unpack_from(">HIBB", stream, at + 4)
        parts.append(TilePart(tile, part, of, stream[at + 12 : at + length]))
        at += length
    assert stream[at : at + 2] == b"\xff\xd9"
    return header, parts


def join(header: bytes, parts: list[TilePart], *, open_end: bool = False) -> bytes:
    """A codestream of these, with EOC; `open_end`: the last tile-part does not tell its length."""
    pieces = [header]
    for k, (tile, part, of, body) in enumerate(parts):
        length = 0 if open_end and k == len(parts) - 1 else 12 + len(body)
        pieces += [struct.pack(">HHHIBB", 0xFF90, 10, tile, length, part, of), body]
    return b"".join(pieces) + b"\xff\xd9"


def untold(parts: list[TilePart]) -> list[TilePart]:
    """The same with TNsot 0: their number is left open."""
    return [part._replace(of=0) for part in parts]
