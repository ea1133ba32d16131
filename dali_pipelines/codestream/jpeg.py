"""JPEG (DCT and lossless, T.81) and JPEG-LS (T.87) streams: SOF and SOS facts, and where EOI is.

Header segments are stepped over by their lengths; only entropy-coded data are searched, for FF
bytes that are no data. So an EOI inside a thumbnail or a comment ends nothing.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    unsupported,
)
from dali_pipelines.records import StreamInfo, StreamKind

SOI: Final = 0xFFD8
EOI: Final = 0xFFD9
SOS: Final = 0xFFDA
SOF3: Final = 0xFFC3
DHT: Final = 0xFFC4
DRI: Final = 0xFFDD
_SOF55: Final = 0xFFF7

_KINDS: Final[dict[int, StreamKind]] = {
    0xFFC0: "jpeg_dct",
    0xFFC1: "jpeg_dct",
    SOF3: "jpeg_lossless",
    _SOF55: "jpegls",
}
_OTHER_FRAMES: Final = frozenset(range(0xFFC0, 0xFFD0)) - {DHT, 0xFFC8, 0xFFCC} - set(_KINDS)
_NO_LENGTH: Final = frozenset({0xFF01, *range(0xFFD0, 0xFFD9)})  # TEM, RST0-7, SOI

# After FF in entropy-coded data: 00 is stuffing in JPEG (T.81 B.1.1.5), a byte below 80 is data in
# JPEG-LS (T.87 A.1); D0-D7 are restart markers, and another FF may fill up to a marker.
_JPEG_STUFFING: Final = 0x00
_JPEGLS_STUFFING: Final = 0x7F
_FILL: Final = 0xFF
_FIRST_RESTART, _LAST_RESTART = 0xD0, 0xD7

# Bytes searched at a time: few at first, as a forged header may have thousands of short scans, then
# as many as a core's cache holds. 7.6 MB take 1.3 ms so, 1.9 ms by 64 KiB, 3.6 ms by 16 KiB.
_FIRST_BLOCK: Final = 1 << 12
_LAST_BLOCK: Final = 1 << 18


class Marks(NamedTuple):
    """Markers in entropy-coded data: the `offsets` of their FF, their `codes` (the byte after it).

    `before` counts the FF bytes of all kinds between the start of the search and each. All (n,).
    """

    offsets: NDArray[np.intp]
    codes: NDArray[np.uint8]
    before: NDArray[np.intp]


def walk_segments(data: Buffer) -> Iterator[Segment]:
    """Yield the marker segments after SOI, EOI last; its `end` is the first byte after the stream.

    Entropy-coded data lie between the `end` of an SOS and the `at` of the segment after it. They
    are searched only when that segment is asked for, so the head of a file is enough for a header.
    """
    if read_uint(data, 0, 2) != SOI:
        raise corrupt(f"wanted SOI (FFD8) at byte 0, found {bytes(data[:2]).hex()}")
    at, stuffing = 2, _JPEG_STUFFING
    for _ in range(MAX_SEGMENTS):
        if read_uint(data, at, 2) == 0xFFFF:  # a fill byte before a marker
            at += 1
            continue
        marker = read_marker(data, at)
        if marker == EOI:
            yield Segment(EOI, at, at + 2, at + 2)
            return
        if marker in _NO_LENGTH:
            raise corrupt(f"marker {marker:04X} at byte {at} stands outside a scan")
        segment = read_segment(data, at)
        yield segment
        at = segment.end
        if marker == _SOF55:
            stuffing = _JPEGLS_STUFFING
        elif marker == SOS:
            at = _end_of_scan(data, at, stuffing)
    raise corrupt(f"it has more than {MAX_SEGMENTS} marker segments")


def walk_marks(data: Buffer, at: int, stuffing: int = _JPEG_STUFFING) -> Iterator[Marks]:
    """Yield the restart markers from `at` on, and last of all the marker that ends the scan.

    FF with a byte up to `stuffing` after it is data. RejectError(TRUNCATED) if no marker ends it.
    """
    values = np.frombuffer(data, np.uint8)
    before, size = 0, _FIRST_BLOCK
    while at < len(values) - 1:
        stop = min(at + size, len(values) - 1)  # an FF in the very last byte marks nothing yet
        found = np.flatnonzero(values[at:stop] == 0xFF)
        codes = values[at + 1 : stop + 1][found]
        marks = np.flatnonzero((codes > stuffing) & (codes != _FILL))
        if len(marks):
            after = codes[marks]
            ends = np.flatnonzero((after < _FIRST_RESTART) | (after > _LAST_RESTART))
            kept = marks[: ends[0] + 1] if len(ends) else marks
            yield Marks(at + found[kept], codes[kept], before + kept)
            if len(ends):
                return
        before += len(found)
        at, size = stop, min(2 * size, _LAST_BLOCK)
    raise incomplete(f"a scan that runs over all {len(data)} bytes without EOI")


def read_header(data: Buffer) -> StreamInfo:
    """The facts of SOF, and of SOS where the kind has any there.

    RejectError(CORRUPT | UNSUPPORTED | TRUNCATED) if the header is bad.
    """
    frame: StreamInfo | None = None
    tables_first = False
    for segment in walk_segments(data):
        tables_first |= segment.marker == DHT and frame is None
        if segment.marker in _OTHER_FRAMES:
            raise unsupported(f"its frame is of type SOF{segment.marker - 0xFFC0}")
        if segment.marker in _KINDS and frame is not None:
            raise corrupt(f"a second SOF at byte {segment.at}")
        if segment.marker in _KINDS:
            frame = replace(_read_frame(data, segment), tables_first=tables_first)
            if frame.kind == "jpeg_dct":
                return frame
        elif segment.marker == SOS and frame is not None:
            return _with_scan(frame, data, segment)
        elif segment.marker in {SOS, EOI}:
            break
    raise corrupt("it has no frame with a scan (SOF, then SOS)")


def measure(data: Buffer) -> Extent:
    """Walk to the true EOI past a scan of every component, or RejectError.

    `proven` is True for the lossless kinds, which a strict decoder (JPEG-LS) or the bit budget
    (`bit_budget.py`) then proves further, False for DCT, where nothing can.
    """
    kind: StreamKind = "jpeg_dct"
    due, scanned, scan_end, end = 0, 0, -1, 0
    for segment in walk_segments(data):
        end = segment.end
        if segment.at == scan_end:
            raise incomplete(f"an empty scan at byte {scan_end}")
        scan_end = -1
        if segment.marker in _KINDS:
            kind, due = _KINDS[segment.marker], _read_frame(data, segment).components
        elif segment.marker == SOS:
            scanned += _components_of_scan(data, segment)
            scan_end = segment.end
    if scanned < due or not due:
        raise incomplete(f"scans of {scanned} of {due} components")
    if scanned > due:
        raise corrupt(f"its scans hold {scanned} components, its frame {due}")
    return Extent(end, kind != "jpeg_dct")


def _end_of_scan(data: Buffer, at: int, stuffing: int) -> int:
    """The offset of the first marker at or after `at` that is not part of entropy-coded data."""
    *_, last = (marks.offsets[-1] for marks in walk_marks(data, at, stuffing))
    return int(last)


def _read_frame(data: Buffer, segment: Segment) -> StreamInfo:
    """The facts of SOF (T.81 B.2.2); heights that a later DNL gives are not taken."""
    segment = read_segment(data, segment.at, shortest=6)
    precision = read_uint(data, segment.start, 1)
    height, width = read_uint(data, segment.start + 1, 2), read_uint(data, segment.start + 3, 2)
    components = read_uint(data, segment.start + 5, 1)
    if not height or not width or not components:
        raise corrupt(f"SOF says {height} x {width} with {components} components")
    if segment.end - segment.start != 6 + 3 * components:
        raise corrupt(f"SOF of {segment.end - segment.start} bytes says {components} components")
    kind = _KINDS[segment.marker]
    return StreamInfo(
        kind=kind,
        height=height,
        width=width,
        components=components,
        precision=check_precision(precision),
        signed=False,
        lossy=kind == "jpeg_dct",
    )


def _components_of_scan(data: Buffer, segment: Segment) -> int:
    """Ns of SOS, whose length must fit to it (T.81 B.2.3)."""
    segment = read_segment(data, segment.at, shortest=6)
    count = read_uint(data, segment.start, 1)
    if segment.end - segment.start != 4 + 2 * count:
        raise corrupt(f"SOS of {segment.end - segment.start} bytes says {count} components")
    return count


def _with_scan(frame: StreamInfo, data: Buffer, segment: Segment) -> StreamInfo:
    """`frame` with what the last three bytes of SOS say: Ss, Se, Ah and Al, or NEAR, ILV and Pt."""
    _components_of_scan(data, segment)
    first, _, last = bytes(data[segment.end - 3 : segment.end])
    if frame.kind == "jpegls":
        return replace(frame, lossy=first > 0)
    point_transform = last & 0x0F
    if not 1 <= first <= 7:
        raise unsupported(f"it has predictor {first}, wanted 1 to 7")
    if point_transform >= frame.precision:
        raise corrupt(f"it drops {point_transform} of {frame.precision} bits (point transform)")
    return replace(frame, predictor=first, point_transform=point_transform)
