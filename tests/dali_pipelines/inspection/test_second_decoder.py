"""The second decoder gives the written values too, or says why there is none."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.cpu.decode import decode
from dali_pipelines.inspection.second_decoder import decode_second, second_decoder
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded
from dali_pipelines.stored_values import stored_patterns
from dali_pipelines.verdicts import Reason, RejectError
from tests.dali_pipelines.codestream.bitwise_encoder import Coding, encode
from tests.dali_pipelines.codestream.bitwise_encoder import noise as lossless_noise

RECIPE = Recipe("any")
ANOTHER, BUILD = "another implementation", "another build of the same library"
SYNTAXES = {
    "rle": ("pydicom", ANOTHER),
    "j2k": ("OpenJPEG of Pillow", BUILD),
    "htj2k": ("OpenJPEG", ANOTHER),
    "jpegls": ("CharLS of GDCM", BUILD),
    "jpeg_sv1": ("liblj92", ANOTHER),
}


def holding(encoded: Encoded, data: bytes, **stream: object) -> Encoded:
    """The same record with another codestream, of which the header says `stream`."""
    info = replace(read_stream_info(memoryview(data)), **stream)
    gray = replace(encoded.record.grayscale, bits=info.precision, signed=info.signed)
    record = replace(encoded.record, stream=info, grayscale=gray)
    return Encoded(np.frombuffer(data, np.uint8), record)


def patterns(encoded: Encoded) -> np.ndarray:
    pixels = decode_second(encoded, RECIPE)
    assert pixels.values.dtype == np.uint16
    return stored_patterns(pixels.values, pixels.shift, encoded.record)


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize("precision", [8, 12, 16])
def test_values_are_those_that_were_written(
    syntax: str, precision: int, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(precision)
    encoded = encoded_of(values, syntax, precision)
    chosen = second_decoder(encoded)
    assert chosen.independence == SYNTAXES[syntax][1]
    assert chosen.tolerance == 0
    if (syntax, precision) != ("htj2k", 16):  # that is OpenJPEG's in a run
        assert chosen.library == SYNTAXES[syntax][0]
    assert np.array_equal(patterns(encoded), values)


def test_the_second_is_never_the_first(
    noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 12 bits a run takes OpenJPH for HTJ2K, with 16 OpenJPEG."""
    asked = []
    for name in ("htj2k_decode", "jpeg2k_decode"):
        real = getattr(imagecodecs, name)
        spy = lambda *a, real=real, name=name, **k: asked.append(name) or real(*a, **k)  # noqa: E731
        monkeypatch.setattr(imagecodecs, name, spy)
    narrow, wide = (encoded_of(noise(bits), "htj2k", bits) for bits in (12, 16))
    decode(narrow)
    decode_second(narrow, RECIPE)
    assert asked[0] == "htj2k_decode"
    assert asked[-1] == "jpeg2k_decode"
    asked.clear()
    decode(wide)
    decode_second(wide, RECIPE)
    assert asked == ["jpeg2k_decode", "htj2k_decode"]


@pytest.mark.parametrize("predictor", range(1, 8))
def test_every_predictor(predictor: int, noise: Callable, encoded_of: Callable) -> None:
    values = noise(16)
    assert np.array_equal(patterns(encoded_of(values, "jpeg_lossless", 16, predictor)), values)


@pytest.mark.parametrize("coding", [Coding(restart_rows=4), Coding(point_transform=3)])
def test_what_liblj92_gets_wrong_goes_to_gdcm(
    coding: Coding, noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = lossless_noise((13, 11), coding)
    encoded = holding(encoded_of(noise(12, (13, 11)), "jpeg_sv1", 12), encode(values, coding))
    assert not np.array_equal(imagecodecs.ljpeg_decode(encoded.data), values)
    assert second_decoder(encoded).library == "libjpeg of GDCM"
    assert np.array_equal(patterns(encoded), values)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert "python-gdcm is not installed" in second_decoder(encoded).why_none


@pytest.mark.parametrize("dtype", [np.int8, np.int16])
@pytest.mark.parametrize("encoder", ["jpeg2k_encode", "htj2k_encode"])
def test_signed_wavelets(dtype: type, encoder: str, noise: Callable, encoded_of: Callable) -> None:
    bits = 8 * np.dtype(dtype).itemsize
    values = noise(bits).astype(f"u{bits // 8}").view(dtype)
    how = {"level": 0, "codecformat": "j2k"} if encoder == "jpeg2k_encode" else {}
    data = bytes(getattr(imagecodecs, encoder)(values, reversible=True, **how))
    encoded = holding(encoded_of(noise(bits), "j2k", bits), data)
    assert encoded.record.stream.signed
    assert np.array_equal(patterns(encoded), values.view(f"u{bits // 8}"))
    assert np.array_equal(patterns(encoded), decode(encoded).values)


def test_the_9_7_wavelet_is_left_to_one_library(noise: Callable, encoded_of: Callable) -> None:
    values = noise(16)
    data = bytes(imagecodecs.htj2k_encode(values, reversible=False))
    encoded = holding(encoded_of(values, "htj2k", 16), data)
    chosen = second_decoder(encoded)
    assert (chosen.library, chosen.tolerance) == ("OpenJPEG of Pillow", 1)
    apart = np.abs(patterns(encoded).astype(int) - decode(encoded).values)
    assert apart.max() <= 1


def test_dct_of_8_bits_is_compared_to_one_and_of_12_not_at_all(
    noise: Callable, encoded_of: Callable
) -> None:
    values = noise(8).astype(np.uint8)
    plain = encoded_of(noise(8), "j2k", 8)
    eight = holding(plain, bytes(imagecodecs.jpeg8_encode(values, level=90)))
    assert second_decoder(eight).tolerance == 1
    assert np.abs(patterns(eight).astype(int) - decode(eight).values).max() <= 1
    twelve = holding(plain, bytes(imagecodecs.jpeg8_encode(noise(12), bitspersample=12)))
    assert "12 bits" in second_decoder(twelve).why_none
    with pytest.raises(RejectError) as caught:
        decode_second(twelve, RECIPE)
    assert caught.value.reason is Reason.UNSUPPORTED


def test_native_pixels_and_maxima_have_none(noise: Callable, encoded_of: Callable) -> None:
    raw = second_decoder(encoded_of(noise(12), "raw", 12))
    assert (raw.independence, raw.library) == ("none", "")
    j2k = encoded_of(noise(12), "j2k", 12)
    several = Encoded(j2k.data, j2k.record, sizes=(len(j2k.data),) * 2)
    assert "maximum over frames" in second_decoder(several).why_none


@pytest.mark.parametrize("syntax", ["rle", "j2k", "jpegls"])
def test_what_it_refuses_is_corrupt_in_our_words(
    syntax: str, noise: Callable, encoded_of: Callable
) -> None:
    whole = encoded_of(noise(12, (96, 80)), syntax, 12)
    end = len(whole.data) // (2 if syntax != "rle" else 40)
    with pytest.raises(RejectError, match=r"refused the codestream \(\w+\)$") as caught:
        decode_second(Encoded(whole.data[:end], whole.record), RECIPE)
    assert caught.value.reason is Reason.CORRUPT


def test_an_image_too_large_for_pillow_is_not_called_corrupt(
    noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = encoded_of(noise(12), "j2k", 12)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(RejectError, match="no image of this size") as caught:
        decode_second(encoded, RECIPE)
    assert caught.value.reason is Reason.UNSUPPORTED
