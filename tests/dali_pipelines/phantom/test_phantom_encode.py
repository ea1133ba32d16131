"""Each codestream against a decoder that is not the one that wrote it, and its stated precision."""

import struct
from collections.abc import Callable

import imagecodecs
import numpy as np
import openjpeg
import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.encode import NATIVE, SYNTAXES, encode_frame

PRECISIONS = (8, 10, 12, 14, 16)
WAVELETS = ("j2k", "j2k_boxed", "htj2k")
Noise = Callable[..., np.ndarray]


def siz(stream: bytes) -> tuple[int, int, int]:
    """(height, width, precision) of the SIZ segment."""
    at = stream.index(b"\xff\x4f\xff\x51") + 2
    width, height, left, top = struct.unpack_from(">4I", stream, at + 6)
    assert (left, top) == (0, 0)
    return height, width, stream[at + 40] + 1


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("syntax", WAVELETS)
def test_wavelet_streams_state_their_precision_and_decode_elsewhere(
    syntax: str, precision: int, noise: Noise
) -> None:
    values = noise(precision)
    stream = encode_frame(values, precision, syntax)
    assert siz(stream) == (*values.shape, precision)
    np.testing.assert_array_equal(np.squeeze(openjpeg.decode(stream)), values)


def test_htj2k_is_written_for_9_and_15_bits_and_read_by_both_of_its_decoders(noise: Noise) -> None:
    for precision in (9, 15):
        values = noise(precision)
        stream = encode_frame(values, precision, "htj2k")
        np.testing.assert_array_equal(imagecodecs.htj2k_decode(stream), values)  # OpenJPH
        np.testing.assert_array_equal(imagecodecs.jpeg2k_decode(stream), values)  # OpenJPEG


def test_only_the_boxed_stream_has_boxes(noise: Noise) -> None:
    values = noise(12)
    boxed, bare = (encode_frame(values, 12, name) for name in ("j2k_boxed", "j2k"))
    assert boxed[4:8] == b"jP  "
    assert bare[:4] == b"\xff\x4f\xff\x51"
    assert encode_frame(values, 12, "htj2k")[:4] == bare[:4]


@pytest.mark.parametrize(("precision", "stated"), [(8, 8), (10, 16), (12, 16), (16, 16)])
def test_jpegls_states_8_or_16_bits(precision: int, stated: int, noise: Noise) -> None:
    values = noise(precision)
    stream = encode_frame(values, precision, "jpegls")
    frame = stream.index(b"\xff\xf7")
    assert stream[frame + 4] == stated
    np.testing.assert_array_equal(imagecodecs.jpegls_decode(stream), values)


def test_lossless_jpegs_state_precision_and_predictor(noise: Noise) -> None:
    for precision in PRECISIONS:
        stream = encode_frame(noise(precision), precision, "jpeg_lossless", predictor=6)
        assert stream[stream.index(b"\xff\xc3") + 4] == precision
        assert stream[stream.index(b"\xff\xda") + 7] == 6
    first = encode_frame(noise(12), 12, "jpeg_sv1", tables_first=True)
    assert first[2:4] == b"\xff\xc4"
    assert first[first.index(b"\xff\xda") + 7] == 1


@pytest.mark.parametrize("syntax", NATIVE)
def test_native_samples_are_little_endian(syntax: str) -> None:
    values = np.array([[1, 258], [515, 255]], np.uint16)
    assert encode_frame(values, 12, syntax).hex() == "010002010302ff00"
    assert encode_frame(values & 255, 8, syntax).hex() == "010203ff"


def test_rle_of_two_rows_equals_the_one_worked_by_hand() -> None:
    values = np.array([[0x0101, 0x0101, 0x0101], [0x0102, 0x0103, 0x0104]], np.uint16)
    # High bytes: a run of three 1s (fe 01), twice, since rows are coded apart. Low bytes: the run
    # again, then three literals (02 ...), 6 bytes.
    header = struct.pack("<16I", 2, 64, 68, *[0] * 13)
    assert encode_frame(values, 12, "rle") == header + bytes.fromhex("fe01 fe01 fe01 02020304")


def test_no_syntax_is_without_an_encoder(noise: Noise) -> None:
    for syntax in SYNTAXES:
        assert encode_frame(noise(12), 12, syntax)


def test_what_cannot_be_written_is_refused(noise: Noise) -> None:
    with pytest.raises(ConfigError, match=r"no syntax 'j2kk'. Did you mean 'j2k'\?"):
        encode_frame(noise(12), 12, "j2kk")
    with pytest.raises(ConfigError, match="does not fit in 10 bits"):
        encode_frame(noise(12), 10, "raw")
    with pytest.raises(ConfigError, match="predictor 1, not 4"):
        encode_frame(noise(12), 12, "jpeg_sv1", predictor=4)
