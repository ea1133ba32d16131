"""The bit budget of streams that were written bit by bit."""

import struct
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.codestream.bit_budget import (
    UNCODED,
    Budget,
    needed_bits,
    prove_decoded,
    read_budget,
)
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.verdicts import Reason, RejectError
from tests.dali_pipelines.codestream.bitwise_encoder import (
    Coding,
    Image,
    encode,
    entropy_of,
    noise,
    segment,
)


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


def test_hand_worked_budget() -> None:
    # The codes above, with a restart after each row: 00 011, then 010 00, then 00 00, filled up.
    coding = Coding(precision=8, lengths=(2, 2, 2) + (0,) * 14, restart_rows=1)
    image = np.array([[128, 129], [127, 127], [128, 128]], np.uint16)
    stream = encode(image, coding)
    info = read_stream_info(stream)
    budget = read_budget(memoryview(stream), info)
    assert budget.code_lengths.tolist() == [2, 2, 2] + [0] * 14
    assert budget.costs.tolist() == [2, 3, 4] + [UNCODED] * 14
    assert (budget.rows, budget.bits.tolist()) == (1, [8, 8, 8])
    assert needed_bits(image, info, budget).tolist() == [5, 5, 4]


def test_costs_are_code_and_extra_bits() -> None:
    lengths = np.array([3] * 16 + [4], np.uint8)
    budget = Budget(lengths, 1, np.zeros(1, np.int64))
    assert budget.costs.tolist() == [*range(3, 19), 4]  # category 16 has no extra bits


def test_unbalanced_intervals() -> None:
    budget = Budget(np.ones(17, np.uint8), 1, np.array([80, 80, 80, 80, 80]))
    assert budget.unbalanced(np.array([80, 81, 73, 72, 1 << 40])).tolist() == [1, 3, 4]


@pytest.mark.parametrize("restart_rows", [0, 1, 100])
def test_all_rows_are_one_interval_where_nothing_restarts(restart_rows: int) -> None:
    image = noise((7, 5), Coding())
    stream = encode(image, Coding(restart_rows=restart_rows))
    budget = read_budget(memoryview(stream), read_stream_info(stream))
    assert (budget.rows, len(budget.bits)) == ((1, 7) if restart_rows == 1 else (7, 1))


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


@pytest.mark.parametrize("block", [1, 100, 1 << 17])
def test_blocks_of_rows_do_not_change_the_sum(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dali_pipelines.codestream.bit_budget._BLOCK_PIXELS", block)
    coding = Coding(predictor=6, restart_rows=4)
    image = noise((23, 31), coding)
    prove(encode(image, coding), image)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_bits_are_those_of_the_encoder(data: st.DataObject) -> None:
    # The encoder's intervals before stuffing, with 0 to 7 ones at the end, have what is needed.
    precision = data.draw(st.integers(2, 16))
    point_transform = data.draw(st.integers(0, precision - 1))
    shape = data.draw(st.tuples(st.integers(1, 12), st.integers(1, 20)))
    coding = Coding(
        precision, data.draw(st.integers(1, 7)), point_transform, data.draw(st.integers(0, 13))
    )
    image = noise(shape, coding, data.draw(st.integers(0, 99)))
    stream = encode(image, coding)
    samples = [[int(v) >> point_transform for v in row] for row in image]
    intervals = [coded.replace(b"\xff\0", b"\xff") for coded in entropy_of(samples, coding)]
    info = read_stream_info(stream)
    budget = read_budget(memoryview(stream), info)
    assert budget.bits.tolist() == [8 * len(interval) for interval in intervals]
    spare = budget.bits - needed_bits(image, info, budget)
    assert (spare >= 0).all()
    assert (spare <= 7).all()
