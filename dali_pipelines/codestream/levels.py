"""How far a JPEG 2000 or HTJ2K codestream can be decoded at a lower resolution. T.800 annex A."""

from collections.abc import Iterator
from typing import Final

from dali_pipelines.codestream.markers import Buffer, read_marker, read_segment, read_uint

_COD: Final = 0xFF52
_COC: Final = 0xFF53
_SOT: Final = 0xFF90
_SOD: Final = 0xFF93
_EOC: Final = 0xFFD9


def removable_levels(data: Buffer) -> int:
    """How many of the finest wavelet levels each tile of a bare, complete stream can do without.

    Without n of them an image of (H, W) is (ceil(H / 2**n), ceil(W / 2**n)) and no tile is empty.
    T.800 B.5 divides the coordinates of corners, so that this needs an image that begins at (0, 0),
    else the answer is 0, and edges of tiles that 2**n divides. RejectError as `j2k.read_header`
    where the bytes are no such stream.
    """
    levels = min(_coded_levels(data), default=0)
    right, bottom, left, top, tile_width, tile_height = (
        read_uint(data, at, 4) for at in range(8, 32, 4)
    )
    if left or top:
        return 0
    for size, tile in ((right, tile_width), (bottom, tile_height)):
        if tile < size:
            levels = min(levels, (tile & -tile).bit_length() - 1)
    return levels


def _coded_levels(data: Buffer) -> Iterator[int]:
    """The number of levels in each COD and COC of the main header and of the tile-parts'."""
    at, part_end = 2, 0
    while (marker := read_marker(data, at)) != _EOC:
        if marker == _SOD:
            at = max(part_end, at + 2)  # a forged length must not lead back
            continue
        segment = read_segment(data, at)
        if marker == _SOT:
            length = read_uint(data, at + 6, 4)
            part_end = at + length if length else len(data) - 2  # 0: up to EOC
        elif marker == _COD:
            yield read_uint(data, segment.start + 5, 1)
        elif marker == _COC:  # its Ccoc has one byte, since there are fewer than 257 components
            yield read_uint(data, segment.start + 2, 1)
        at = segment.end
