"""Each codec gives the stored values, or says why not; nothing in between."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import Reason, RejectError

CODECS = ["raw", "rle", "j2k", "htj2k", "jpegls", "jpeg_sv1", "jpeg_lossless"]


@pytest.mark.parametrize("syntax", CODECS)
@pytest.mark.parametrize("precision", [8, 10, 12, 14, 16])
def test_values_are_exact(
    syntax: str, precision: int, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(precision)
    pixels = decode(encoded_of(values, syntax, precision))
    assert pixels.shift == 0
    assert pixels.values.dtype == np.uint16
    assert np.array_equal(pixels.values, values)


@pytest.mark.parametrize("predictor", [2, 3, 4, 5, 6, 7])
def test_every_predictor_is_exact(predictor: int, noise: Callable, encoded_of: Callable) -> None:
    values = noise(12)
    encoded = encoded_of(values, "jpeg_lossless", 12, predictor)
    assert np.array_equal(decode(encoded).values, values)


def cut(encoded: Encoded, share: float, ending: bytes = b"") -> Encoded:
    kept = encoded.data[: int(len(encoded.data) * share)].tobytes().rstrip(b"\xff")
    return Encoded(np.frombuffer(kept + ending, np.uint8), encoded.record)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see cpu/htj2k.py
@pytest.mark.parametrize("syntax", CODECS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
def test_a_cut_codestream_never_gives_an_image(
    syntax: str, share: float, noise: Callable, encoded_of: Callable
) -> None:
    whole = encoded_of(noise(12, (96, 80)), syntax, 12)
    with pytest.raises(RejectError) as caught:
        decode(cut(whole, share))
    assert caught.value.reason in {Reason.TRUNCATED, Reason.CORRUPT}


@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_cut_lossless_jpeg_with_an_end_marker_does_not_pass(
    share: float, noise: Callable, encoded_of: Callable
) -> None:
    whole = encoded_of(noise(12, (96, 80)), "jpeg_sv1", 12)
    with pytest.raises(RejectError) as caught:
        decode(cut(whole, share, b"\xff\xd9"))
    assert caught.value.reason is Reason.TRUNCATED


def test_another_size_than_announced_is_refused(noise: Callable, encoded_of: Callable) -> None:
    encoded = encoded_of(noise(12), "j2k", 12)
    record = replace(encoded.record, stream=replace(encoded.record.stream, height=38))
    with pytest.raises(RejectError) as caught:
        decode(Encoded(encoded.data, record))
    assert caught.value.reason is Reason.GEOMETRY


def test_native_words_lose_what_lies_outside_bits_stored(encoded_of: Callable) -> None:
    stored = np.array([[0x0123, 0x0FFF], [0x0000, 0x0456]], dtype=np.uint16)
    encoded = encoded_of(stored, "raw", 12)
    overlay = (encoded.data.view("<u2") | np.uint16(0x8000)).view(np.uint8)
    assert np.array_equal(decode(Encoded(overlay, encoded.record)).values, stored)
    shifted = (encoded.data.view("<u2") << np.uint16(4)).view(np.uint8)
    record = replace(encoded.record, tags=replace(encoded.record.tags, high_bit=15))
    assert np.array_equal(decode(Encoded(shifted, record)).values, stored)


def test_big_endian_words_are_swapped(encoded_of: Callable) -> None:
    stored = np.array([[0x0123, 0x0456]], dtype=np.uint16)
    encoded = encoded_of(stored, "raw", 12)
    tags = replace(encoded.record.tags, transfer_syntax_uid="1.2.840.10008.1.2.2")
    swapped = stored.astype(">u2").view(np.uint8).ravel()
    assert np.array_equal(
        decode(Encoded(swapped, replace(encoded.record, tags=tags))).values, stored
    )


def test_signed_values_are_patterns_of_the_table_width(encoded_of: Callable) -> None:
    signed = np.array([[-1, -2048], [2047, 5]], dtype=np.int16)
    encoded = encoded_of(signed.view(np.uint16) & np.uint16(0xFFF), "raw", 12)
    words = signed.view(np.uint8).ravel()
    assert decode(Encoded(words, encoded.record)).values.tolist() == [[0xFFF, 0x800], [0x7FF, 5]]


@pytest.mark.parametrize("bits", [12, 16])
def test_a_signed_codestream_gives_patterns_too(bits: int, encoded_of: Callable) -> None:
    signed = np.array([[-1, -2048, 0], [2047, 5, -7]], np.int16)
    encoded = encoded_of(np.zeros((2, 3), np.uint16), "j2k", bits)
    stream = imagecodecs.jpeg2k_encode(
        signed, level=0, reversible=True, bitspersample=bits, codecformat="j2k"
    )
    record = replace(encoded.record, stream=replace(encoded.record.stream, signed=True))
    pixels = decode(Encoded(np.frombuffer(stream, np.uint8), record))
    assert pixels.values.dtype == np.uint16
    assert np.array_equal(pixels.values, signed.view(np.uint16) & ((1 << bits) - 1))


@pytest.mark.parametrize("syntax", CODECS)
@pytest.mark.parametrize("precision", [8, 16])
def test_values_are_memory_of_their_own(
    syntax: str, precision: int, noise: Callable, encoded_of: Callable
) -> None:
    encoded = encoded_of(noise(precision), syntax, precision)
    narrow = replace(encoded.record.grayscale, bits=5, bits_stored=5)  # so that bits are masked
    encoded = Encoded(encoded.data.copy(), replace(encoded.record, grayscale=narrow))
    encoded.data.setflags(write=False)
    before = encoded.data.tobytes()
    first, second = decode(encoded).values, decode(encoded).values
    assert np.array_equal(first, noise(precision) & 31)
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, encoded.data)
    assert encoded.data.tobytes() == before


def test_threads_do_not_mix_their_images(noise: Callable, encoded_of: Callable) -> None:
    images = [noise(12, seed=seed) for seed in range(len(CODECS) * 2)]
    encoded = [encoded_of(v, CODECS[k % len(CODECS)], 12) for k, v in enumerate(images)]
    with ThreadPoolExecutor(4) as pool:
        for pixels, values in zip(pool.map(decode, encoded), images, strict=True):
            assert np.array_equal(pixels.values, values)


def test_a_lossless_jpeg_is_proved_by_all_its_bits_before_some_are_masked(
    noise: Callable, encoded_of: Callable
) -> None:
    values = noise(16)
    encoded = encoded_of(values, "jpeg_sv1", 16)
    grayscale = replace(encoded.record.grayscale, bits=12, bits_stored=12)
    record = replace(encoded.record, grayscale=grayscale)
    assert np.array_equal(decode(Encoded(encoded.data, record)).values, values & 0xFFF)


@pytest.mark.parametrize("syntax", ["j2k", "jpeg_sv1", "jpegls", "raw", "rle"])
def test_values_that_hang_from_an_odd_high_bit_come_out_right(
    syntax: str, noise: Callable, encoded_of: Callable
) -> None:
    stored = noise(12)
    encoded = encoded_of(stored << np.uint16(4), syntax, 16)
    tags = replace(encoded.record.tags, bits_stored=12, high_bit=15)
    grayscale = replace(encoded.record.grayscale, bits_stored=12)
    pixels = decode(Encoded(encoded.data, replace(encoded.record, tags=tags, grayscale=grayscale)))
    assert np.array_equal(pixels.values >> pixels.shift, stored)


def test_no_memory_says_nothing_about_the_file(
    noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError("Unable to allocate 14.3 MiB")

    encoded = encoded_of(noise(12), "jpeg_sv1", 12)
    monkeypatch.setattr("dali_pipelines.cpu.decode.prove_decoded", exhausted)
    with pytest.raises(RejectError) as caught:
        decode(encoded)
    assert caught.value.reason is Reason.OUT_OF_MEMORY
    assert "37 x 29 px" in caught.value.detail


def test_what_a_decoder_says_is_not_passed_on(noise: Callable, encoded_of: Callable) -> None:
    encoded = encoded_of(noise(12), "j2k", 12)
    junk = Encoded(encoded.data[:60], encoded.record)
    with pytest.raises(RejectError) as caught:
        decode(junk)
    assert caught.value.detail == "the j2k decoder refused the codestream (Jpeg2kError)"


def test_an_rle_offset_beyond_the_data_is_refused(noise: Callable, encoded_of: Callable) -> None:
    whole = encoded_of(noise(12, (20, 30)), "rle", 12)
    data = whole.data.copy()
    data[4:8] = 0xFF  # where the first byte plane begins (PS3.5 G.5)
    with pytest.raises(RejectError) as caught:
        decode(replace(whole, data=data))
    assert caught.value.reason in {Reason.CORRUPT, Reason.TRUNCATED}
