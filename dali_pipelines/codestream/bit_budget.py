"""Proof that a lossless JPEG was decoded whole: its pixels use up all the bits of its scan.

Decoders return a picture for a stream that was cut and closed with an EOI. But under a given
predictor and Huffman table an image needs one exact number of bits (T.81 annex H.1), and what the
scan has may differ from it only by the 0 to 7 bits that fill its last byte. The same holds for each
restart interval. What a scan has is read from its bytes, what its pixels need is counted from them,
here or on the GPU.
"""

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.jpeg import DHT, DRI, SOS, walk_marks, walk_segments
from dali_pipelines.codestream.markers import (
    Buffer,
    corrupt,
    read_segment,
    read_uint,
    unsupported,
)
from dali_pipelines.codestream.prediction import differences
from dali_pipelines.records import StreamInfo
from dali_pipelines.verdicts import Reason, RejectError

UNCODED: Final = 255  # cost in bits of a category that the Huffman table has no code for

_CATEGORIES: Final = 17  # SSSS of a difference: 0 to 16 (T.81 table H.2)
_FOLD: Final = 8  # costs that a byte can hold the sum of: 16 + 15 bits each at most
_BLOCK_PIXELS: Final = 1 << 17  # counted at a time; 8.5 MP take 7 ms so, 9 ms by 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Budget:
    """What the scan of a lossless JPEG with one component has.

    `code_lengths` (17,) uint8 are the bits of each category's Huffman code, 0 for none. `rows`
    make up a restart interval, all of the image where nothing restarts. `bits` (n,) int64 are the
    entropy-coded bits of each interval, with those that fill up its last byte.
    """

    code_lengths: NDArray[np.uint8]
    rows: int
    bits: NDArray[np.int64]

    @property
    def costs(self) -> NDArray[np.uint8]:
        """Bits (17,) that a difference of each category takes; category 16 has no extra bits."""
        extra = np.arange(_CATEGORIES) % 16
        costs = np.where(self.code_lengths > 0, self.code_lengths + extra, UNCODED)
        return costs.astype(np.uint8)

    def unbalanced(self, needed: NDArray[np.int64]) -> NDArray[np.intp]:
        """The intervals that do not have what their pixels need, (n,) bits, and 0 to 7 to spare."""
        spare = self.bits - needed
        return np.flatnonzero((spare < 0) | (spare > 7))


class _Scan(NamedTuple):
    """The Huffman table of a scan, its samples between restarts (0: none), where its data begin."""

    code_lengths: NDArray[np.uint8]
    restart_samples: int
    start: int


def read_budget(data: memoryview, info: StreamInfo) -> Budget:
    """The budget of a lossless JPEG; `data` is its whole or bare stream.

    What stands after the scan is not looked at, as `stream.prove_complete` walks over it.
    RejectError: UNSUPPORTED for more than one component or restarts within rows, TRUNCATED if an
    interval or the end is missing, CORRUPT for bad tables or restart markers out of order.
    """
    if info.kind != "jpeg_lossless" or info.components != 1:
        raise unsupported(f"{info.components} components of {info.kind} have no bit budget")
    scan = _read_scan(data)
    rows = _rows_per_interval(scan.restart_samples, info)
    bits = _count_bits(data, scan.start)
    intervals = -(-info.height // rows)
    if len(bits) != intervals:
        detail = f"scan has {len(bits)} restart intervals, wanted {intervals}"
        raise RejectError(Reason.TRUNCATED, f"{detail}; fetch the file again")
    return Budget(scan.code_lengths, rows, bits)


def prove_decoded(data: memoryview, info: StreamInfo, values: NDArray[np.uint16]) -> None:
    """RejectError(TRUNCATED) unless `values` use up the bits of the scan to the last byte.

    `data` and other errors as for `read_budget`; `values` (H, W) uint16 is what a decoder made of
    it: bit patterns, with the point transform undone. GEOMETRY for another shape.
    """
    if values.shape != (info.height, info.width):
        detail = f"decoder returned {values.shape} pixels, wanted {(info.height, info.width)}"
        raise RejectError(Reason.GEOMETRY, detail)
    budget = read_budget(data, info)
    needed = needed_bits(values, info, budget)
    unbalanced = budget.unbalanced(needed)
    if len(unbalanced):
        k = unbalanced[0]
        has = f"restart interval {k + 1} of {len(needed)} has {budget.bits[k]} bits"
        raise RejectError(
            Reason.TRUNCATED,
            f"{has}, its pixels need {needed[k]} and 0 to 7 to spare; fetch the file again",
        )


def needed_bits(values: NDArray[np.uint16], info: StreamInfo, budget: Budget) -> NDArray[np.int64]:
    """Bits per restart interval (n,) that `values` (H, W) take by the code of the budget.

    RejectError(TRUNCATED) where a difference has no code.
    """
    height, width = values.shape
    cost_of = budget.costs[_categories()]
    needed = np.empty(height, np.int64)
    step = min(max(1, _BLOCK_PIXELS // width), height)
    # Memory is got once: fresh pages for each block can double the time (1.1 for 0.5 ns a px). With
    # "wrap", though nothing needs it, take neither stops at bad indices nor copies its output.
    index, room = np.empty((step, width), np.intp), np.empty((step, width), np.uint8)
    for top in range(0, height, step):
        block = slice(top, min(top + step, height))
        count = block.stop - top
        index[:count] = differences(values, block, budget.rows, info)
        bits = cost_of.take(index[:count], out=room[:count], mode="wrap")
        if bits.max() == UNCODED:
            detail = "decoded pixels have a difference that the scan's Huffman table cannot code"
            raise RejectError(Reason.TRUNCATED, f"{detail}; fetch the file again")
        needed[block] = _sum_rows(bits)
    intervals: NDArray[np.int64] = np.add.reduceat(needed, np.arange(0, height, budget.rows))
    return intervals


def _sum_rows(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The sum (n,) of each row of costs (n, W), at first in bytes, which is three times as fast."""
    height, width = bits.shape
    whole = width // _FOLD * _FOLD
    folded = bits[:, :whole].reshape(height, _FOLD, -1).sum(axis=1, dtype=np.uint8)
    sums: NDArray[np.int64] = folded.sum(axis=1, dtype=np.int64)
    sums += bits[:, whole:].sum(axis=1, dtype=np.int64)
    return sums


def _read_scan(data: Buffer) -> _Scan:
    """The tables of the first scan, and where its entropy-coded bytes begin."""
    tables: dict[int, NDArray[np.uint8]] = {}
    restart_samples = 0
    for segment in walk_segments(data):
        if segment.marker == DHT:
            tables |= _read_tables(bytes(data[segment.start : segment.end]))
        elif segment.marker == DRI:
            restart_samples = read_uint(data, read_segment(data, segment.at, 2).start, 2)
        elif segment.marker == SOS:
            sos = read_segment(data, segment.at, shortest=6)
            table = read_uint(data, sos.start + 2, 1) >> 4  # Td of the one component
            if table not in tables:
                raise corrupt(f"its scan names Huffman table {table}, which no DHT defines")
            return _Scan(tables[table], restart_samples, sos.end)
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
    return min(rows or info.height, info.height)


def _count_bits(data: Buffer, start: int) -> NDArray[np.int64]:
    """Bits per restart interval (n,) from `start` on, without stuffed zeros and fill bytes."""
    parts = list(walk_marks(data, start))
    codes = np.concatenate([part.codes for part in parts])[:-1]  # the last marker ends the scan
    if (codes & 7 != np.arange(len(codes)) & 7).any():
        raise corrupt("its restart markers are out of order")
    # Between two markers, which take two bytes each, every FF brings a byte that is not coded.
    offsets = np.concatenate([[start - 2], *(part.offsets for part in parts)])
    before = np.concatenate([[-1], *(part.before for part in parts)])
    bits: NDArray[np.int64] = 8 * (np.diff(offsets) - 2 - (np.diff(before) - 1))
    return bits


@cache
def _categories() -> NDArray[np.uint8]:
    """SSSS (65536,) of each difference modulo 2^16: the bits of its magnitude (T.81 table H.2)."""
    magnitude = np.abs(np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32))
    exponent = np.frexp(magnitude.astype(np.float64))[1]
    return exponent.astype(np.uint8)
