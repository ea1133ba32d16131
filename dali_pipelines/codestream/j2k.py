"""JPEG 2000 and HTJ2K codestreams: what SIZ, CAP and COD say, and whether every tile is there.

Offsets count from SOC. Names as in T.800 annex A; HTJ2K is T.814. Packets are not looked into:
damage inside a tile-part that keeps its length shows only in the checksum.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from dali_pipelines.codestream.markers import (
    MAX_SEGMENTS,
    Buffer,
    Extent,
    Segment,
    check_precision,
    corrupt,
    incomplete,
    read_marker,
    read_segment,
    read_uint,
    truncated,
    unsupported,
)
from dali_pipelines.records import StreamInfo

_SOC: Final = 0xFF4F
_CAP: Final = 0xFF50
_SIZ: Final = 0xFF51
_COD: Final = 0xFF52
_SOT: Final = 0xFF90
_SOD: Final = 0xFF93
_EOC: Final = 0xFFD9

_HAS_CAP: Final = 0x4000  # bit 14 of Rsiz: capabilities are in CAP (T.800 table A.10)
_PART_15: Final = 0x20000  # Pcap of CAP: the 15th bit from the left is HTJ2K's (T.814 A.3)
_REVERSIBLE: Final = 1  # the 5-3 wavelet; 0 is the 9-7 (T.800 table A.20)
_MAX_TILES: Final = 65_535  # Isot has 16 bits, and T.800 A.4.2 stops at 65534
_SOT_SIZE: Final = 12


class Siz(NamedTuple):
    """The image size and tiling of SIZ; `end` is the offset of the segment after it."""

    height: int
    width: int
    tiles: int
    components: int
    precision: int
    signed: bool
    has_cap: bool
    end: int


class TilePart(NamedTuple):
    """A tile-part: the tile it is of, the offset of its SOT and the one after its last byte."""

    tile: int
    at: int
    end: int


def read_header(data: Buffer) -> StreamInfo:
    """The facts of the main header. RejectError(CORRUPT | UNSUPPORTED | TRUNCATED) if it is bad."""
    siz = _read_siz(data)
    transform: int | None = None
    capabilities = None if siz.has_cap else 0
    for segment in _main_header(data, siz.end):
        if segment.marker == _COD:
            transform = read_uint(data, segment.start + 9, 1)
        elif segment.marker == _CAP and siz.has_cap:
            capabilities = read_uint(data, segment.start, 4)
        if transform is not None and capabilities is not None:
            break
    if transform is None:
        raise corrupt("no COD stands before the first tile-part")
    return StreamInfo(
        kind="htj2k" if (capabilities or 0) & _PART_15 else "j2k",
        height=siz.height,
        width=siz.width,
        components=siz.components,
        precision=siz.precision,
        signed=siz.signed,
        lossy=transform != _REVERSIBLE,
    )


def measure(data: Buffer) -> Extent:
    """Walk every tile-part to EOC: each tile is there with all of its parts, or RejectError.

    `proven` is False where the stream leaves open how much there should be: Psot 0 in the last
    tile-part (its length), or TNsot 0 in all parts of a tile (their number), also where there is
    one part only: a stream that was cut after it looks just so.
    """
    siz = _read_siz(data)
    at = siz.end
    for segment in _main_header(data, siz.end):
        at = segment.end
    tiles = _Tiles(siz.tiles)
    while (marker := read_marker(data, at)) == _SOT:
        at = tiles.read_part(data, at)
    if marker != _EOC:
        raise corrupt(f"wanted SOT or EOC at byte {at}, found marker {marker:04X}")
    return Extent(at + 2, tiles.finish())


def tile_parts(data: Buffer) -> list[TilePart]:
    """Where the tile-parts lie, in a stream that `measure` takes."""
    at = _read_siz(data).end
    for segment in _main_header(data, at):
        at = segment.end
    parts: list[TilePart] = []
    while read_marker(data, at) == _SOT:
        tile, length = read_uint(data, at + 4, 2), read_uint(data, at + 6, 4)
        parts.append(TilePart(tile, at, at + length if length else _find_last_eoc(data)))
        at = parts[-1].end
    return parts


def _read_siz(data: Buffer) -> Siz:
    if read_uint(data, 0, 2) != _SOC or read_uint(data, 2, 2) != _SIZ:
        raise corrupt(f"wanted SOC and SIZ (FF4F FF51) at byte 0, found {bytes(data[:4]).hex()}")
    segment = read_segment(data, 2, shortest=36)
    fields = [read_uint(data, segment.start + 2 + 4 * k, 4) for k in range(8)]
    right, bottom, left, top, tile_width, tile_height, tile_left, tile_top = fields
    components = read_uint(data, segment.start + 34, 2)
    if components == 0 or segment.end - segment.start != 36 + 3 * components:
        raise corrupt(f"SIZ of {segment.end - segment.start} bytes says {components} components")
    if right <= left or bottom <= top or not tile_width or not tile_height:
        raise corrupt(f"SIZ leaves no image area: {fields}")
    if not (tile_left <= left < tile_left + tile_width):
        raise corrupt(f"SIZ has its first tile beside the image: {fields}")
    if not (tile_top <= top < tile_top + tile_height):
        raise corrupt(f"SIZ has its first tile beside the image: {fields}")
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _MAX_TILES:
        raise corrupt(f"SIZ makes {tiles} tiles, wanted {_MAX_TILES} at most")
    precision, signed = _read_samples(bytes(data[segment.start + 36 : segment.end]))
    return Siz(
        height=bottom - top,
        width=right - left,
        tiles=tiles,
        components=components,
        precision=precision,
        signed=signed,
        has_cap=bool(read_uint(data, segment.start, 2) & _HAS_CAP),
        end=segment.end,
    )


def _read_samples(components: bytes) -> tuple[int, bool]:
    """Precision in bits and sign, from (Ssiz, XRsiz, YRsiz) of each component; all must agree."""
    if any(components[k : k + 3] != components[:3] for k in range(0, len(components), 3)):
        raise unsupported("its components differ in precision, sign or size")
    depth, *subsampling = components[:3]
    if subsampling != [1, 1]:
        raise unsupported(f"its components are subsampled by {subsampling}, wanted 1 x 1")
    return check_precision((depth & 0x7F) + 1), bool(depth & 0x80)


def _main_header(data: Buffer, at: int) -> Iterator[Segment]:
    """The segments after SIZ and before the first SOT, or EOC in a stream that has none."""
    for _ in range(MAX_SEGMENTS):
        marker = read_marker(data, at)
        if marker in {_SOT, _EOC}:
            return
        if marker in {_SOC, _SOD}:
            raise corrupt(f"marker {marker:04X} at byte {at} stands before the first tile-part")
        shortest = {_COD: 10, _CAP: 4}.get(marker, 0)
        segment = read_segment(data, at, shortest)
        yield segment
        at = segment.end
    raise corrupt(f"its header has more than {MAX_SEGMENTS} marker segments")


class _Tiles:
    """Which tile-parts came, against how many there should be (T.800 A.4.2)."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._parts: dict[int, int] = {}  # tile -> parts seen
        self._told: dict[int, int] = {}  # tile -> TNsot, 0 where no part tells it
        self._open_end = False

    def read_part(self, data: Buffer, at: int) -> int:
        """Take in the tile-part whose SOT is at `at`; return the offset after it."""
        segment = read_segment(data, at)
        if segment.end != at + _SOT_SIZE:
            raise corrupt(f"SOT at byte {at} has {segment.end - at} bytes, wanted {_SOT_SIZE}")
        tile, length = read_uint(data, at + 4, 2), read_uint(data, at + 6, 4)
        self._count_part(tile, part=read_uint(data, at + 10, 1), told=read_uint(data, at + 11, 1))
        self._open_end = length == 0
        end = at + length if length else _find_last_eoc(data)
        if end > len(data):
            raise truncated(end + 2, len(data))
        _require_data(data, at + _SOT_SIZE, end)
        return end

    def finish(self) -> bool:
        """Whether the counts prove that nothing is missing; RejectError(TRUNCATED) if it is."""
        if len(self._parts) < self._count:
            raise incomplete(f"{len(self._parts)} of {self._count} tiles")
        for tile, told in self._told.items():
            if self._parts[tile] < told:
                raise incomplete(f"{self._parts[tile]} of {told} parts of tile {tile}")
        return not self._open_end and all(self._told.values())

    def _count_part(self, tile: int, part: int, told: int) -> None:
        if tile >= self._count:
            raise corrupt(f"a tile-part belongs to tile {tile}, but there are {self._count} tiles")
        seen, before = self._parts.get(tile, 0), self._told.get(tile, 0)
        if part != seen:
            raise corrupt(f"part {part} of tile {tile} came where part {seen} was due")
        if told and before and told != before:
            raise corrupt(f"tile {tile} has {before} parts by one TNsot and {told} by another")
        told = told or before
        # Part TNsot is let through: old OpenJPEG and GDCM write the number of the last part there.
        if told and part > told:
            raise corrupt(f"tile {tile} has a part {part} though TNsot says {told} parts")
        self._parts[tile], self._told[tile] = seen + 1, told


def _require_data(data: Buffer, at: int, end: int) -> None:
    """Walk a tile-part header in [at, end) to its SOD."""
    while at + 2 <= end:
        if read_marker(data, at) == _SOD:
            return
        at = read_segment(data, at).end
    raise corrupt(f"a tile-part that ends at byte {end} has no SOD")


def _find_last_eoc(data: Buffer) -> int:
    """The offset of the EOC that ends the data, for a tile-part that reaches as far as it (Psot 0).

    Only zeros may follow. A search for the first EOC would not do: SOP segments inside the packets
    hold a running number that can look like one.
    """
    kept = bytes(data).rstrip(b"\0")
    if not kept.endswith(b"\xff\xd9"):
        raise incomplete("a tile-part that runs to the end of the data without EOC")
    return len(kept) - 2
