"""The walk over JP2 boxes, on boxes built by hand."""

import struct

import pytest

from dali_pipelines.codestream.jp2 import SIGNATURE, bytes_behind, find_codestream, is_boxed
from dali_pipelines.verdicts import Reason, RejectError

STREAM = b"\xff\x4f\xff\x51 codestream \xff\xd9"


def box(kind: bytes, contents: bytes, length: int | None = None) -> bytes:
    size = len(contents) + 8 if length is None else length
    return struct.pack(">I4s", size, kind) + contents


FTYP = box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
JP2H = box(b"jp2h", box(b"ihdr", bytes(14)) + box(b"colr", b"\x01\0\0\0\0\0\x11"))


def found(data: bytes) -> bytes:
    start, end = find_codestream(data)
    return data[start:end]


def test_signature_is_the_first_box() -> None:
    assert box(b"jP  ", b"\r\n\x87\n") == SIGNATURE
    assert is_boxed(SIGNATURE + FTYP)
    assert not is_boxed(STREAM)
    assert not is_boxed(SIGNATURE[:8])


def test_length_in_32_bits() -> None:
    tail = box(b"uuid", b"later") + b"\0"
    assert found(SIGNATURE + FTYP + JP2H + box(b"jp2c", STREAM) + tail) == STREAM


def test_length_in_64_bits() -> None:
    wide = struct.pack(">I4sQ", 1, b"jp2c", len(STREAM) + 16) + STREAM
    assert found(SIGNATURE + FTYP + wide + b"rest") == STREAM
    early = struct.pack(">I4sQ", 1, b"xml ", 20) + b"abcd"
    assert found(SIGNATURE + early + wide) == STREAM


def test_length_0_reaches_to_the_end() -> None:
    assert found(SIGNATURE + FTYP + box(b"jp2c", STREAM, length=0)) == STREAM


def test_length_past_the_end_stops_at_the_end() -> None:
    data = SIGNATURE + box(b"jp2c", STREAM, length=10_000)
    assert find_codestream(data) == (20, len(data))


def test_codestream_magic_in_another_box_is_not_taken() -> None:
    decoy = box(b"xml ", b"jp2c" + STREAM)
    assert found(SIGNATURE + decoy + box(b"jp2c", STREAM + b"!")) == STREAM + b"!"


@pytest.mark.parametrize(
    ("tail", "behind"),
    [
        (b"", 0),
        (b"\0", 1),
        (box(b"uuid", b"later"), 0),
        (box(b"uuid", b"later") + box(b"xml ", b"", length=0), 0),
        (box(b"uuid", b"later") + b"\0\0", 2),
        (bytes(500), 500),
        (b"\xaa" * 500, 500),
        (box(b"uuid", b"later", length=90), 13),  # promises more than there is
        (box(b"uuid", b"later", length=3), 13),
        (box(b"uuid", b"later", length=1), 13),
    ],
)
def test_bytes_that_are_in_no_box(tail: bytes, behind: int) -> None:
    assert bytes_behind(SIGNATURE + FTYP + box(b"jp2c", STREAM) + tail) == behind


@pytest.mark.parametrize("length", range(2, 8))
def test_impossible_length(length: int) -> None:
    with pytest.raises(RejectError) as caught:
        find_codestream(SIGNATURE + box(b"xml ", bytes(20), length))
    assert caught.value.reason is Reason.CORRUPT


@pytest.mark.parametrize("length", [0, 8, 15])
def test_impossible_64_bit_length(length: int) -> None:
    with pytest.raises(RejectError) as caught:
        find_codestream(SIGNATURE + struct.pack(">I4sQ", 1, b"xml ", length) + bytes(20))
    assert caught.value.reason is Reason.CORRUPT


def test_zero_length_box_before_the_codestream_takes_all_the_rest() -> None:
    with pytest.raises(RejectError) as caught:
        find_codestream(SIGNATURE + box(b"ftyp", b"", length=0) + box(b"jp2c", STREAM))
    assert caught.value.reason is Reason.CORRUPT


@pytest.mark.parametrize("keep", [12, 15, 20, 31, 32, 35])
def test_end_inside_or_between_boxes(keep: int) -> None:
    data = (SIGNATURE + FTYP + box(b"jp2c", STREAM))[:keep]
    with pytest.raises(RejectError) as caught:
        find_codestream(data)
    assert caught.value.reason in {Reason.TRUNCATED, Reason.CORRUPT}


def test_box_longer_than_the_data() -> None:
    with pytest.raises(RejectError) as caught:
        find_codestream(SIGNATURE + box(b"xml ", b"", length=1 << 31))
    assert caught.value.reason is Reason.TRUNCATED
