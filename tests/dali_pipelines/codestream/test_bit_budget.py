"""The bit budget against a bitwise encoder of our own, which libjpeg-turbo decodes right."""

import struct
from contextlib import suppress
from dataclasses import dataclass, replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dali_pipelines.codestream.bit_budget import prove_decoded
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.verdicts import Reason, RejectError

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


def prove(stream: bytes, values: Image) -> None:
    prove_decoded(memoryview(stream), read_stream_info(stream), values)


def reason_of(stream: bytes, values: Image) -> Reason:
    with pytest.raises(RejectError) as caught:
        prove(stream, values)
    return caught.value.reason


CODINGS = [
    Coding(precision, predictor, point_transform, restart_rows)
    for precision in (2, 8, 12, 16)
    for predictor in range(1, 8)
    for point_transform in (0, 1)
    for restart_rows in (0, 1, 3)
]


@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_whole_stream_has_0_to_7_bits_to_spare(coding: Coding) -> None:
    image = noise((11, 13), coding)
    stream = encode(image, coding)
    assert np.array_equal(imagecodecs.jpeg8_decode(stream), image)  # the encoder above is right
    prove(stream, image)


@pytest.mark.parametrize("coding", [c for c in CODINGS if c.precision >= 8], ids=str)
def test_one_wrong_pixel_is_noticed_where_it_costs_other_bits(coding: Coding) -> None:
    image = np.full((11, 13), 1 << (coding.precision - 1), np.uint16)
    stream = encode(image, coding)
    prove(stream, image)
    image[10, 12] = 0
    assert reason_of(stream, image) is Reason.TRUNCATED


def test_hand_worked_bits() -> None:
    # 8 bits, predictor 1: differences 0 | +1, 0 | -1, one code of 2 bits each for 0 and 1.
    # needs 2 + (2+1) + 2 + (2+1) = 10 bits: 00 01 1 00 01 0 and six ones to fill up
    coding = Coding(precision=8, lengths=(2, 2, 2) + (0,) * 14)
    image = np.array([[128, 129], [128, 127]], np.uint16)
    stream = encode(image, coding)
    at = stream.index(b"\xff\xda") + 10
    assert stream[at:] == bytes([0b00011000, 0b10111111]) + b"\xff\xd9"
    prove(stream, image)
    longer = stream[:-2] + b"\x00\xff\xd9"
    assert reason_of(longer, image) is Reason.TRUNCATED


@pytest.mark.parametrize("width", range(1, 10))
def test_0_to_7_spare_bits_and_no_other_number(width: int) -> None:
    coding = Coding(precision=8, lengths=(1, 2) + (0,) * 15)  # a pixel of value 128 takes one bit
    image = np.full((1, width), 128, np.uint16)
    stream = encode(image, coding)
    prove(stream, image)
    start = stream.index(b"\xff\xda") + 10
    assert reason_of(stream[:start] + bytes(-(-width // 8) + 1) + b"\xff\xd9", image)
    if width == 9:
        assert reason_of(stream[:start] + b"\0\xff\xd9", image) is Reason.TRUNCATED


def test_stuffing_and_fill_bytes_do_not_count() -> None:
    # codes 0: 00000000, 8: 00000001; differences -128 (extra 01111111) and 255 (extra 11111111)
    coding = Coding(precision=8, lengths=(8, 0, 0, 0, 0, 0, 0, 0, 8) + (0,) * 8)
    image = np.array([[0, 255]], np.uint16)
    stream = encode(image, coding)
    assert stream.endswith(b"\x01\x7f\x01\xff\x00\xff\xd9")
    prove(stream, image)
    prove(stream[:-2] + b"\xff\xff\xff\xd9", image)
    image[0, 1] = 127  # category 7 has no code
    assert reason_of(stream, image) is Reason.TRUNCATED


def test_category_16_has_no_extra_bits() -> None:
    coding = Coding(precision=16)
    image = np.array([[0, 32768]], np.uint16)  # -32768, then 32768: both category 16
    stream = encode(image, coding)
    assert np.array_equal(imagecodecs.jpeg8_decode(stream), image)
    assert len(stream[stream.index(b"\xff\xda") + 10 : -2].replace(b"\xff\0", b"\xff")) == 4
    prove(stream, image)


def test_the_table_that_sos_names_counts() -> None:
    image = noise((5, 7), Coding())
    stream = encode(image, Coding(table=2))
    decoy = segment(0xFFC4, bytes([0, 1] + [0] * 15 + [0]))
    prove(stream[:2] + decoy + stream[2:], image)
    at = stream.index(b"\xff\xda")
    other = stream[: at + 6] + b"\x30" + stream[at + 7 :]
    assert reason_of(other, image) is Reason.CORRUPT


def test_a_later_table_replaces_an_earlier_one_of_the_same_number() -> None:
    image = noise((5, 7), Coding())
    stream = encode(image, Coding())
    decoy = segment(0xFFC4, bytes([0, 1] + [0] * 15 + [0]))
    prove(stream[:2] + decoy + stream[2:], image)


@pytest.mark.parametrize("cut", [0.05, 0.3, 0.5, 0.9, 0.99, 0.999, 1.0])
@pytest.mark.parametrize("predictor", [1, 4, 7])
def test_cut_and_closed_with_eoi_is_noticed(predictor: int, cut: float) -> None:
    coding = Coding(predictor=predictor)
    stream = encode(noise((30, 40), coding), coding)
    start, end = stream.index(b"\xff\xda") + 10, len(stream) - 2
    stop = min(start + int((end - start) * cut), end - 1)  # one byte is missing at least
    closed = stream[:stop].rstrip(b"\xff") + b"\xff\xd9"
    assert reason_of(closed, imagecodecs.jpeg8_decode(closed)) is Reason.TRUNCATED


def test_every_cut_at_a_byte_of_the_end_is_noticed() -> None:
    coding = Coding(precision=10)
    stream = encode(noise((9, 9), coding), coding)
    for stop in range(stream.index(b"\xff\xda") + 11, len(stream) - 2):
        closed = stream[:stop].rstrip(b"\xff") + b"\xff\xd9"
        assert reason_of(closed, imagecodecs.jpeg8_decode(closed)) is Reason.TRUNCATED


def test_missing_restart_interval_is_noticed() -> None:
    coding = Coding(restart_rows=2)
    image = noise((8, 6), coding)
    stream = encode(image, coding)
    last = stream.rindex(b"\xff\xd2")
    assert reason_of(stream[:last] + b"\xff\xd9", image) is Reason.TRUNCATED


def test_bits_are_counted_for_each_restart_interval() -> None:
    # A zero byte moved from one interval to the next keeps the sum right.
    coding = Coding(restart_rows=2)
    stream = encode(noise((4, 6), coding), coding)
    image = noise((4, 6), coding)
    middle = stream.rindex(b"\xff\xd0")
    moved = stream[: middle - 1] + stream[middle : middle + 2] + b"\0" + stream[middle + 2 :]
    assert len(moved) == len(stream)
    assert reason_of(moved, image) is Reason.TRUNCATED


def test_restart_markers_out_of_order() -> None:
    coding = Coding(restart_rows=2)
    image = noise((6, 6), coding)
    stream = encode(image, coding)
    at = stream.rindex(b"\xff\xd1")
    swapped = stream[:at] + b"\xff\xd3" + stream[at + 2 :]
    assert reason_of(swapped, image) is Reason.CORRUPT


def test_nine_restart_markers_wrap_around() -> None:
    coding = Coding(restart_rows=1)
    image = noise((20, 3), coding)
    prove(encode(image, coding), image)


def test_what_has_no_budget() -> None:
    image = noise((6, 6), Coding())
    stream = encode(image, Coding())
    info = read_stream_info(stream)
    for odd in (replace(info, components=3), replace(info, kind="jpegls")):
        with pytest.raises(RejectError) as caught:
            prove_decoded(memoryview(stream), odd, image)
        assert caught.value.reason is Reason.UNSUPPORTED
    assert reason_of(stream, image[:5]) is Reason.GEOMETRY
    at = stream.index(b"\xff\xdd")
    in_mid_row = stream[: at + 4] + struct.pack(">H", 7) + stream[at + 6 :]
    assert reason_of(in_mid_row, image) is Reason.UNSUPPORTED


def test_damaged_tables() -> None:
    image = noise((6, 6), Coding())
    stream = encode(image, Coding())
    for tables in (
        bytes([0] + [1] + [0] * 15),  # a code without its value
        bytes([0] + [0] * 9),  # counts cut short
        bytes([0] + [2] + [0] * 15 + [5, 5]),  # a category twice
    ):
        damaged = stream[:2] + segment(0xFFC4, tables) + stream[2:]
        assert reason_of(damaged, image) is Reason.CORRUPT


@pytest.mark.parametrize("block", [1, 100, 1 << 17])
def test_blocks_of_rows_do_not_change_the_sum(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dali_pipelines.codestream.bit_budget._BLOCK_PIXELS", block)
    coding = Coding(predictor=6, restart_rows=4)
    image = noise((23, 31), coding)
    prove(encode(image, coding), image)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_mutations_raise_nothing_but_rejects(data: st.DataObject) -> None:
    coding = Coding(predictor=5, restart_rows=2)
    image = noise((8, 6), coding)
    stream = encode(image, coding)
    mutant = bytearray(stream)
    for _ in range(data.draw(st.integers(1, 4))):
        mutant[data.draw(st.integers(0, len(mutant) - 1))] = data.draw(st.integers(0, 255))
    with suppress(RejectError):
        prove_decoded(memoryview(mutant), read_stream_info(stream), image)
