"""Lossless JPEG streams written bit by bit as text, with any codes; libjpeg-turbo decodes them."""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint16]


@dataclass(frozen=True)
class Coding:
    """How `encode` writes: `restart_rows` 0 for no restarts, `lengths` of the Huffman codes."""

    precision: int = 12
    predictor: int = 1
    point_transform: int = 0
    restart_rows: int = 0
    table: int = 0
    lengths: tuple[int, ...] = (2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 16)


def predict(x: list[list[int]], row: int, column: int, first_row: int, coding: Coding) -> int:
    """T.81 H.1.2.1, one sample at a time."""
    if row == first_row:
        middle = 1 << (coding.precision - coding.point_transform - 1)
        return x[row][column - 1] if column else middle
    if column == 0:
        return x[row - 1][0]
    a, b, c = x[row][column - 1], x[row - 1][column], x[row - 1][column - 1]
    return [a, b, c, a + b - c, a + (b - c) // 2, b + (a - c) // 2, (a + b) // 2][
        coding.predictor - 1
    ]


def huffman_codes(lengths: tuple[int, ...]) -> dict[int, str]:
    """Category -> code as text of 0 and 1 (T.81 annex C)."""
    codes, code, previous = {}, 0, 0
    for length, category in sorted((n, k) for k, n in enumerate(lengths) if n):
        code <<= length - previous
        codes[category] = format(code, f"0{length}b")
        code, previous = code + 1, length
    return codes


def entropy_of(x: list[list[int]], coding: Coding) -> list[bytes]:
    """The entropy-coded bytes of each restart interval, stuffed and filled up with ones."""
    codes = huffman_codes(coding.lengths)
    rows = coding.restart_rows or len(x)
    intervals = []
    for first in range(0, len(x), rows):
        bits = ""
        for row in range(first, min(first + rows, len(x))):
            for column, value in enumerate(x[row]):
                difference = (value - predict(x, row, column, first, coding)) & 0xFFFF
                signed = difference - 0x10000 if difference > 0x8000 else difference
                category = abs(signed).bit_length()
                bits += codes[category]
                if 0 < category < 16:
                    extra = signed if signed > 0 else signed + (1 << category) - 1
                    bits += format(extra, f"0{category}b")
        bits += "1" * (-len(bits) % 8)
        coded = int(bits, 2).to_bytes(len(bits) // 8, "big")
        intervals.append(coded.replace(b"\xff", b"\xff\x00"))
    return intervals


def segment(marker: int, parameters: bytes) -> bytes:
    return struct.pack(">HH", marker, len(parameters) + 2) + parameters


def encode(image: Image, coding: Coding) -> bytes:
    """A whole SOF3 stream of one component."""
    height, width = image.shape
    samples = [[int(v) >> coding.point_transform for v in row] for row in image]
    by_length = sorted((n, k) for k, n in enumerate(coding.lengths) if n)
    counts = bytes(sum(n == length for n, _ in by_length) for length in range(1, 17))
    scan = b""
    for k, coded in enumerate(entropy_of(samples, coding)):
        scan += (bytes([0xFF, 0xD0 + (k - 1) % 8]) if k else b"") + coded
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xFFC4, bytes([coding.table]) + counts + bytes(k for _, k in by_length)),
            segment(0xFFDD, struct.pack(">H", coding.restart_rows * width)),
            segment(0xFFC3, struct.pack(">BHHB", coding.precision, height, width, 1) + b"\1\x11\0"),
            segment(
                0xFFDA,
                bytes([1, 1, coding.table << 4, coding.predictor, 0, coding.point_transform]),
            ),
            scan,
            b"\xff\xd9",
        ]
    )


def noise(shape: tuple[int, int], coding: Coding, seed: int = 1) -> Image:
    """White noise over the whole range, so that every category comes up; low bits cleared."""
    draw = np.random.default_rng(seed).integers(0, 1 << coding.precision, shape)
    return (draw >> coding.point_transform << coding.point_transform).astype(np.uint16)
