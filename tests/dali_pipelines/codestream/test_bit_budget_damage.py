"""Cut and damaged streams that decoders make a picture of, and damage that has no budget at all."""

from contextlib import suppress

import imagecodecs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.codestream.bit_budget import prove_decoded
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.verdicts import Reason, RejectError
from tests.dali_pipelines.codestream.bitwise_encoder import Coding, Image, encode, noise, segment


def prove(stream: bytes, values: Image) -> None:
    prove_decoded(memoryview(stream), read_stream_info(stream), values)


def reason_of(stream: bytes, values: Image) -> Reason:
    with pytest.raises(RejectError) as caught:
        prove(stream, values)
    return caught.value.reason


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
