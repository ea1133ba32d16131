"""Proof that a lossless JPEG was decoded whole: its pixels use up all the bits of its scan.

Decoders return a picture for a stream that was cut and closed with an EOI. But under a given
predictor and Huffman table an image needs one exact number of bits (T.81 annex H.1), and what the
scan has may differ from it only by the 0 to 7 bits that fill its last byte. The same holds for each
restart interval.
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.jpeg import DHT, DRI, SOS, walk_segments
from dali_pipelines.codestream.markers import (
    Buffer,
    Segment,
    corrupt,
    read_segment,
    read_uint,
    unsupported,
)
from dali_pipelines.records import StreamInfo
from dali_pipelines.verdicts import Reason, RejectError

_CATEGORIES: Final = 17  # SSSS of a difference: 0 to 16 (T.81 table H.2)
_UNCODED: Final = 255  # cost in bits of a category that the Huffman table has no code for
_BLOCK_PIXELS: Final = 1 << 17  # the temporaries of one block of rows stay in the cache


class _Scan(NamedTuple):
    """What the decoder worked from.

    `code_lengths` (17,) in bits per category, 0 for none; `restart_samples` per restart interval,
    0 for no restarts; entropy-coded bytes [start, end).
    """

    code_lengths: NDArray[np.uint8]
    restart_samples: int
    start: int
    end: int


def prove_decoded(data: memoryview, info: StreamInfo, values: NDArray[np.uint16]) -> None:
    """RejectError(TRUNCATED) unless `values` use up the bits of the scan to the last byte.

    `data` is the whole or bare stream, `values` (H, W) uint16 what a decoder made of it: bit
    patterns, with the point transform undone. Only one component (else UNSUPPORTED).
    """
    if info.kind != "jpeg_lossless" or info.components != 1:
        raise unsupported(f"{info.components} components of {info.kind} have no bit budget")
    if values.shape != (info.height, info.width):
        detail = f"decoder returned {values.shape} pixels, wanted {(info.height, info.width)}"
        raise RejectError(Reason.GEOMETRY, detail)
    scan = _read_scan(data)
    rows = _rows_per_interval(scan.restart_samples, info)
    has = _count_bits(data[scan.start : scan.end + 1])
    starts = np.arange(0, info.height, rows)
    if len(has) != len(starts):
        detail = f"scan has {len(has)} restart intervals, wanted {len(starts)}"
        raise RejectError(Reason.TRUNCATED, f"{detail}; fetch the file again")
    need = np.add.reduceat(_needed_bits(values, info, rows, _cost_table(scan.code_lengths)), starts)
    wrong = np.flatnonzero((has < need) | (has > need + 7))
    if len(wrong):
        k = wrong[0]
        detail = f"restart interval {k + 1} of {len(has)} has {has[k]} bits, its pixels need"
        raise RejectError(
            Reason.TRUNCATED, f"{detail} {need[k]} and 0 to 7 to spare; fetch the file again"
        )


def _read_scan(data: Buffer) -> _Scan:
    """The Huffman table, the restart interval and the entropy-coded bytes of the first scan."""
    tables: dict[int, NDArray[np.uint8]] = {}
    restart_samples = 0
    sos: Segment | None = None
    for segment in walk_segments(data):
        if sos is not None:
            table = read_uint(data, sos.start + 2, 1) >> 4  # Td of the one component
            if table not in tables:
                raise corrupt(f"its scan names Huffman table {table}, which no DHT defines")
            return _Scan(tables[table], restart_samples, sos.end, segment.at)
        if segment.marker == DHT:
            tables |= _read_tables(bytes(data[segment.start : segment.end]))
        elif segment.marker == DRI:
            restart_samples = read_uint(data, read_segment(data, segment.at, 2).start, 2)
        elif segment.marker == SOS:
            sos = read_segment(data, segment.at, shortest=6)
    raise corrupt("it has no scan")


def _read_tables(segment: bytes) -> dict[int, NDArray[np.uint8]]:
    """Code lengths (17,) by table, from a DHT segment (T.81 B.2.4.2)."""
    tables: dict[int, NDArray[np.uint8]] = {}
    at = 0
    while at < len(segment):
        counts = segment[at + 1 : at + 17]
        categories = segment[at + 17 : at + 17 + sum(counts)]
        if len(counts) < 16 or len(categories) < sum(counts):
            raise corrupt(f"DHT of {len(segment)} bytes ends inside a table")
        lengths = np.zeros(256, np.uint8)
        lengths[list(categories)] = np.repeat(np.arange(1, 17, dtype=np.uint8), list(counts))
        if len(set(categories)) < len(categories):
            raise corrupt("DHT has two codes for one category")
        tables[segment[at]] = lengths[:_CATEGORIES]
        at += 17 + len(categories)
    return tables


def _rows_per_interval(restart_samples: int, info: StreamInfo) -> int:
    """Rows between two restarts, which lie at the ends of rows (T.81 H.1.1); all rows without."""
    rows, rest = divmod(restart_samples, info.width)
    if rest:
        raise unsupported(f"it restarts after {restart_samples} samples of {info.width} a row")
    return rows or info.height


def _count_bits(entropy: Buffer) -> NDArray[np.int64]:
    """Bits per restart interval (n,), without stuffed zeros, fill bytes and restart markers.

    The last byte of `entropy` is the FF of the marker that ends it, so that an FF before it is seen
    to be a fill byte.
    """
    coded = np.frombuffer(entropy, np.uint8)
    marks = np.flatnonzero(coded[:-1] == 0xFF)
    after = coded[marks + 1]
    restart = (after >= 0xD0) & (after <= 0xD7)
    if (after[restart] & 7 != np.arange(np.count_nonzero(restart)) & 7).any():
        raise corrupt("its restart markers are out of order")
    interval_of = np.concatenate([[0], np.cumsum(restart)])[:-1]
    removed = np.bincount(interval_of[~restart], minlength=int(restart.sum()) + 1)
    edges = np.concatenate([[-2], marks[restart], [len(coded) - 1]])
    bits: NDArray[np.int64] = 8 * (np.diff(edges) - 2 - removed)
    return bits


def _needed_bits(
    values: NDArray[np.uint16], info: StreamInfo, rows: int, cost: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Bits per row (H,) that `values` take with `rows` rows per restart interval."""
    height, width = values.shape
    need = np.empty(height, np.int64)
    step = max(1, _BLOCK_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        # One row above comes along; above row 0, which starts an interval, any row will do.
        above = np.concatenate([values[max(top - 1, 0)][None], values[top:bottom]])
        samples = above.astype(np.int32) >> info.point_transform
        starts = np.arange(top, bottom) % rows == 0
        difference = samples[1:] - _predict(samples, starts, info)
        bits = cost[difference.astype(np.uint16)]  # modulo 2^16 (T.81 H.1.2.1)
        if (bits == _UNCODED).any():
            detail = "decoded pixels have a difference that the scan's Huffman table cannot code"
            raise RejectError(Reason.TRUNCATED, f"{detail}; fetch the file again")
        need[top:bottom] = bits.sum(axis=1, dtype=np.int64)
    return need


def _predict(
    samples: NDArray[np.int32], starts: NDArray[np.bool_], info: StreamInfo
) -> NDArray[np.int32]:
    """The predictions (n, W) of rows 1 ... n of `samples` (n + 1, W); T.81 H.1.2.1, table H.1.

    `starts` (n,) marks the rows that begin a restart interval: they are predicted from the left,
    and their first sample from the middle of the range. Elsewhere the first sample is predicted
    from above.
    """
    left, above, corner = samples[1:, :-1], samples[:-1, 1:], samples[:-1, :-1]
    predicted = np.empty_like(samples[1:])
    predicted[:, 1:] = _predict_inner(info.predictor, left, above, corner)
    predicted[:, 0] = samples[:-1, 0]
    predicted[starts, 1:] = left[starts]
    predicted[starts, 0] = 1 << (info.precision - info.point_transform - 1)
    return predicted


def _predict_inner(
    predictor: int, left: NDArray[np.int32], above: NDArray[np.int32], corner: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Ra, Rb and Rc put together by the selection value in SOS (T.81 table H.1)."""
    match predictor:
        case 1:
            predicted = left
        case 2:
            predicted = above
        case 3:
            predicted = corner
        case 4:
            predicted = left + above - corner
        case 5:
            predicted = left + ((above - corner) >> 1)
        case 6:
            predicted = above + ((left - corner) >> 1)
        case _:
            predicted = (left + above) >> 1
    return predicted


@cache
def _categories() -> NDArray[np.uint8]:
    """SSSS (65536,) of each difference modulo 2^16: the bits of its magnitude (T.81 table H.2)."""
    magnitude = np.abs(np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32))
    exponent = np.frexp(magnitude.astype(np.float64))[1]
    return exponent.astype(np.uint8)


def _cost_table(code_lengths: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bits (65536,) that each difference modulo 2^16 takes; category 16 has no extra bits."""
    extra = np.arange(_CATEGORIES) % 16
    cost = np.where(code_lengths > 0, code_lengths + extra, _UNCODED).astype(np.uint8)
    return cost[_categories()]
