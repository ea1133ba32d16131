"""The Huffman half of lossless JPEG: differences (n,) uint16 -> table and packed bits.

A difference is a 16-bit pattern, so everything about it (category, extra bits, code) is a table of
65,536 entries, and coding an image is a gather. Source: ITU-T T.81, annexes C, F.1.2.1 and K.2.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

CATEGORIES = 17  # SSSS 0..16, T.81 table H.2
LONGEST_CODE = 16  # bits, T.81 C.1
STRIP = 1 << 16  # differences packed at a time: the temporaries stay in the cache


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """`lengths` (17,) code length in bits by category, 0 where the category does not occur.

    `codes` (17,) the code words, right-aligned.
    """

    lengths: NDArray[np.int64]
    codes: NDArray[np.int64]

    def segment(self) -> bytes:
        """The payload of DHT for destination 0 of class 0: BITS and HUFFVAL (T.81 B.2.4.2)."""
        order = _canonical_order(self.lengths)
        bits = np.bincount(self.lengths[order], minlength=LONGEST_CODE + 1)[1:]
        return bytes([0, *bits.tolist(), *order.tolist()])


def build_table(differences: NDArray[np.uint16]) -> HuffmanTable:
    """The shortest table for these differences: optimal lengths, canonical codes."""
    by_pattern = np.bincount(differences.ravel(), minlength=1 << 16)
    counts = np.bincount(categories(), weights=by_pattern, minlength=CATEGORIES).astype(np.int64)
    lengths = _optimal_lengths(counts)
    codes = np.zeros(CATEGORIES, np.int64)
    code = previous = 0
    for category in _canonical_order(lengths):
        code <<= int(lengths[category]) - previous
        previous = int(lengths[category])
        codes[category] = code
        code += 1
    return HuffmanTable(lengths, codes)


def pack(differences: NDArray[np.uint16], table: HuffmanTable) -> bytes:
    """The entropy-coded bytes, filled up with 1 bits, before byte stuffing (T.81 F.1.2.3)."""
    tokens, lengths = _tokens(table)
    return b"".join(_packed_strips(differences.ravel(), tokens, lengths))


@lru_cache(maxsize=1)
def categories() -> NDArray[np.uint8]:
    """Category (65536,) of each difference pattern: bits of its magnitude, 16 for -32768."""
    limits = 1 << np.arange(CATEGORIES - 1)
    return np.searchsorted(limits, np.abs(_signed_patterns()), side="right").astype(np.uint8)


def _signed_patterns() -> NDArray[np.int64]:
    return np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int64)


def _optimal_lengths(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Huffman's code lengths (17,), none above 16.

    One symbol without weight takes part, gets the all-ones code word, which T.81 C.2 forbids, and
    is dropped. Halved counts make a flatter tree, so the loop ends.
    """
    while True:
        depths = _tree_depths([0, *counts[counts > 0].tolist()])
        if max(depths) <= LONGEST_CODE:
            lengths = np.zeros(CATEGORIES, np.int64)
            lengths[counts > 0] = depths[1:]
            return lengths
        counts = (counts + 1) // 2


def _tree_depths(weights: list[int]) -> list[int]:
    depths = [0] * len(weights)
    heap = [(weight, index, [index]) for index, weight in enumerate(weights)]
    heapq.heapify(heap)
    while len(heap) > 1:
        light, _, left = heapq.heappop(heap)
        heavy, tie, right = heapq.heappop(heap)
        for leaf in left + right:
            depths[leaf] += 1
        heapq.heappush(heap, (light + heavy, tie, left + right))
    return depths


def _canonical_order(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Categories that occur, shortest code first, then by value (T.81 C.2)."""
    order = np.argsort(lengths, kind="stable")
    return order[lengths[order] > 0]


def _tokens(table: HuffmanTable) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """For each difference pattern (65536,): code word with extra bits, and how many bits."""
    signed, category = _signed_patterns(), categories().astype(np.int64)
    extra_bits = np.where(category == 16, 0, category)  # category 16 has but one value
    extra = np.where(signed < 0, signed - 1, signed) & ((1 << extra_bits) - 1)
    tokens = (table.codes[category] << extra_bits) | extra
    return tokens.astype(np.uint64), table.lengths[category] + extra_bits


def _packed_strips(
    differences: NDArray[np.uint16], tokens: NDArray[np.uint64], lengths: NDArray[np.int64]
) -> Iterator[bytes]:
    """Big-endian bytes strip by strip.

    A token has at most 31 bits, so each 32-bit word sees at least one begin, and a token fits in
    the 64 bits from the word that it begins in: the sum over a word's tokens is their union.
    """
    used, pending = 0, np.uint64(0)  # bits of the unfinished word, and the word
    for first in range(0, differences.size, STRIP):
        strip = differences[first : first + STRIP]
        length = lengths[strip]
        end = np.cumsum(length) + used
        start = end - length
        word = start >> 5
        begins = np.flatnonzero(np.diff(word, prepend=-1))
        shifted = tokens[strip] << (64 - (start & 31) - length).astype(np.uint64)
        windows = np.add.reduceat(shifted, begins)
        words = np.zeros(windows.size + 1, np.uint64)
        words[:-1] = windows >> np.uint64(32)
        words[1:] += windows & np.uint64(0xFFFFFFFF)
        words[0] += pending
        full, used = divmod(int(end[-1]), 32)
        pending = words[full]
        yield words[:full].astype(">u4").tobytes()
    filled = int(pending) | ((1 << (32 - used)) - 1)
    yield filled.to_bytes(4, "big")[: (used + 7) // 8]
