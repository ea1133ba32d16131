"""OpenJPH gives what OpenJPEG gives, or nothing at all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from dali_pipelines.codestream.stream import prove_complete, read_stream_info
from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.htj2k import decode_by_openjph
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import Reason, RejectError

_QCD = b"\xff\x5c"
_SOD = b"\xff\x93"

# What imagecodecs says of an error that it then loses.
loses_errors = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def picture(precision: int, shape: tuple[int, int] = (96, 80)) -> np.ndarray:
    """Smooth values around the middle of the range."""
    walk = np.random.default_rng(precision).normal(0, 2**precision / 200, shape).cumsum(axis=1)
    return np.clip(walk + 2 ** (precision - 1), 0, 2**precision - 1).astype(np.uint16)


def coded(values: np.ndarray, precision: int, **options: object) -> bytes:
    """As `phantom.encode` does it, with tiles or another number of levels."""
    lifted = values + np.uint16((1 << 15) - (1 << (precision - 1)))
    stream = bytearray(imagecodecs.htj2k_encode(lifted, reversible=True, **options))
    stream[42] = precision - 1
    return bytes(stream)


def encoded_as(stream: bytes, record: ImageRecord) -> Encoded:
    """The stream under a record that says what the stream says."""
    info = read_stream_info(stream)
    flags = tuple(prove_complete(memoryview(stream), info))
    grayscale = replace(record.grayscale, bits=info.precision, bits_stored=info.precision)
    return Encoded(
        np.frombuffer(stream, np.uint8),
        replace(record, stream=info, flags=flags, grayscale=grayscale),
    )


@pytest.fixture
def record(encoded_of: Callable) -> ImageRecord:
    return encoded_of(picture(12), "htj2k", 12).record


@pytest.mark.parametrize("precision", range(8, 16))
@pytest.mark.parametrize("options", [{}, {"tile": (32, 48)}, {"resolutions": 2}], ids=str)
def test_values_are_those_of_openjpeg(precision: int, options: dict, record: ImageRecord) -> None:
    values = picture(precision)
    stream = coded(values, precision, **options)
    encoded = encoded_as(stream, record)
    assert np.array_equal(imagecodecs.jpeg2k_decode(stream), values)
    found = decode_by_openjph(encoded.data, encoded.record)
    assert found is not None
    assert found.dtype == np.uint16
    assert np.array_equal(found, values)
    assert encoded.data.tobytes() == stream


@pytest.mark.parametrize("precision", [8, 12, 15])
@pytest.mark.parametrize("bottom", [0, -1], ids=["black", "white"])
def test_whole_rows_of_the_least_and_the_greatest_value_are_values(
    precision: int, bottom: int, record: ImageRecord
) -> None:
    values = picture(precision)
    values[50:] = bottom & ((1 << precision) - 1)
    encoded = encoded_as(coded(values, precision), record)
    found = decode_by_openjph(encoded.data, encoded.record)
    assert found is not None
    assert np.array_equal(found, values)


@pytest.mark.parametrize("left_out", [1, 2, 3])
def test_streams_without_their_lowest_bits_are_rounded_alike(
    left_out: int, record: ImageRecord
) -> None:
    """More guard bits in QCD (T.800 table A.28) make the bits there are stand for higher ones."""
    stream = bytearray(coded(picture(14), 14))
    guard = stream.index(_QCD) + 4
    assert stream[guard] >> 5 == 1
    stream[guard] += left_out << 5
    encoded = encoded_as(bytes(stream), record)
    found = decode_by_openjph(encoded.data, encoded.record)
    assert found is not None
    assert np.array_equal(found, imagecodecs.jpeg2k_decode(bytes(stream)))


@pytest.mark.parametrize("signed", [False, True])
def test_what_fills_16_bits_is_left_to_openjpeg(signed: bool, record: ImageRecord) -> None:
    values = picture(16).view(np.int16) if signed else picture(16)
    stream = bytes(imagecodecs.htj2k_encode(values, reversible=True))
    encoded = encoded_as(stream, record)
    assert decode_by_openjph(encoded.data, encoded.record) is None
    assert np.array_equal(decode(encoded).values, picture(16))


def test_the_rounding_of_the_9_7_wavelet_is_left_to_openjpeg(record: ImageRecord) -> None:
    stream = bytes(imagecodecs.htj2k_encode(picture(15), reversible=False))
    encoded = encoded_as(stream, record)
    assert encoded.record.stream.lossy
    assert decode_by_openjph(encoded.data, encoded.record) is None
    assert np.array_equal(decode(encoded).values, imagecodecs.jpeg2k_decode(stream))


@pytest.mark.parametrize(
    "change",
    [{"signed": True}, {"components": 3}, {"precision": 11}, {"height": 95}, {"width": 81}],
    ids=str,
)
def test_a_stream_that_is_not_as_announced_is_left_to_openjpeg(
    change: dict, record: ImageRecord
) -> None:
    encoded = encoded_as(coded(picture(12), 12), record)
    changed = replace(encoded.record, stream=replace(encoded.record.stream, **change))
    assert decode_by_openjph(encoded.data, changed) is None


def test_a_stream_that_is_not_proved_whole_is_left_to_openjpeg(record: ImageRecord) -> None:
    encoded = encoded_as(coded(picture(12), 12), record)
    stream = encoded.data.copy()
    assert decode_by_openjph(stream, encoded.record) is not None
    stream[stream.tobytes().index(b"\xff\x90") + 11] = 0  # TNsot: it leaves its parts open
    assert decode_by_openjph(stream, encoded.record) is None


@pytest.mark.parametrize("length", [0, 20, 42, 43, 60])
def test_a_stub_is_left_to_openjpeg(length: int, record: ImageRecord) -> None:
    encoded = encoded_as(coded(picture(12), 12), record)
    assert decode_by_openjph(encoded.data[:length], encoded.record) is None


def damaged(stream: bytes, seed: int) -> bytes:
    """With three random bytes in the coded data."""
    random, data = np.random.default_rng(seed), bytearray(stream)
    for at in random.integers(stream.index(_SOD) + 2, len(stream) - 2, 3):
        data[at] = int(random.integers(256))
    return bytes(data)


def openjph(stream: bytes) -> np.ndarray | None:
    try:
        return np.asarray(imagecodecs.htj2k_decode(stream))
    except imagecodecs.Htj2kError:
        return None


@loses_errors
def test_no_lost_error_becomes_a_picture(record: ImageRecord) -> None:
    whole, lost = coded(picture(12), 12), 0
    for seed in range(100):
        stream = damaged(whole, seed)
        bare = openjph(stream)
        if bare is not None and bare[-1].any():
            continue
        lost += bare is not None  # nothing here is black, so the bottom row was never written
        encoded = encoded_as(stream, record)
        assert decode_by_openjph(encoded.data, encoded.record) is None
        with pytest.raises(RejectError) as caught:
            decode(encoded)
        assert caught.value.reason is Reason.CORRUPT
    assert lost > 10  # where imagecodecs has learned to raise them, the lift and this test may go


def test_conformance_files_have_the_values_of_openjpeg(
    shared_data: Path, record: ImageRecord
) -> None:
    files = sorted((shared_data / "conformance" / "htj2k").glob("*.j2c"))
    assert files
    for file in files:
        stream = file.read_bytes()
        truth = np.asarray(imagecodecs.jpeg2k_decode(stream))
        assert np.array_equal(decode(encoded_as(stream, record)).values, truth.view(np.uint16))
        assert np.array_equal(imagecodecs.htj2k_decode(stream), truth)
