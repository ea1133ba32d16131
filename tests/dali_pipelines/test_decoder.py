"""A batch of everything: each codestream to its decoder, each failure on its own."""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from dali_pipelines import routing
from dali_pipelines.decoder import DALI_BATCH, Decoder, shares
from dali_pipelines.errors import DeviceError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import Reason, RejectError

SYNTAXES = ["j2k", "htj2k", "jpegls", "jpeg_sv1", "rle", "raw"]
WHOLE = Recipe("whole")
HALVES = Recipe("halves", DecodeSettings(reduce=1))


@contextmanager
def new_decoder(
    recipe: Recipe = WHOLE, isolation: str = "thread", **settings: object
) -> Iterator[Decoder]:
    with ThreadPoolExecutor(2) as pool:
        decoder = Decoder(LoaderSettings(threads=2, isolation=isolation, **settings), recipe, pool)
        try:
            yield decoder
        finally:
            decoder.close()


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    with new_decoder() as decoder:
        yield decoder


def test_a_mixed_batch_comes_back_in_order(
    decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    images = [noise(12, (20 + k, 30 - k), seed=k) for k in range(len(SYNTAXES))]
    batch = [encoded_of(image, name, 12) for image, name in zip(images, SYNTAXES, strict=True)]
    early = RejectError(Reason.CHANGED, "the file is another one now")
    decoded = decoder.decode([None, *batch, early])
    assert decoded[0] is None
    assert decoded[-1] is early
    for image, pixels in zip(images, decoded[1:-1], strict=True):
        assert isinstance(pixels, Pixels)
        assert np.array_equal(pixels.values, image)
    assert decoder.counts == {
        "dali j2k": 1,
        "imagecodecs htj2k": 1,
        "imagecodecs jpegls": 1,
        "imagecodecs jpeg_lossless": 1,
        "imagecodecs rle": 1,
        "numpy raw": 1,
    }


def test_one_bad_codestream_costs_one_sample_of_a_dali_batch(
    decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    images = [noise(12, (24, 20 + k), seed=k) for k in range(3)]
    batch = [encoded_of(image, "j2k", 12) for image in images]
    batch[1] = Encoded(batch[1].data[: len(batch[1].data) // 2], batch[1].record)
    for _ in range(2):  # the pipeline goes on after a failure
        first, bad, last = decoder.decode(batch)
        assert isinstance(bad, RejectError)
        assert bad.reason is Reason.CORRUPT
        assert np.array_equal(first.values, images[0])
        assert np.array_equal(last.values, images[2])
    assert decoder.counts["batches decoded again one by one"] == 2


def test_more_codestreams_than_dali_takes_at_once(
    decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    images = [noise(12, (9, 8), seed=k) for k in range(DALI_BATCH + 1)]
    decoded = decoder.decode([encoded_of(image, "j2k", 12) for image in images])
    assert all(np.array_equal(p.values, v) for p, v in zip(decoded, images, strict=True))


def test_without_dali_imagecodecs_gives_the_same(
    decoder: Decoder, noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "has_dali", lambda: False)
    values = noise(12)
    (pixels,) = decoder.decode([encoded_of(values, "j2k", 12)])
    assert np.array_equal(pixels.values, values)
    assert decoder.counts == {"imagecodecs j2k": 1}


@pytest.mark.parametrize("precision", [9, 10, 12, 14, 16])
def test_dali_gives_stored_values_at_every_precision_it_is_given(
    precision: int, decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(precision)
    (pixels,) = decoder.decode([encoded_of(values, "j2k", precision)])
    assert np.array_equal(pixels.values, values)
    assert decoder.counts == {"dali j2k": 1}


def test_eight_bits_are_not_given_to_dali(
    decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(8)
    (pixels,) = decoder.decode([encoded_of(values, "j2k", 8)])
    assert np.array_equal(pixels.values, values)  # DALI would give value x 257
    assert decoder.counts == {"imagecodecs j2k": 1}


def test_large_images_are_given_to_dali_a_few_at_a_time(
    decoder: Decoder, noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dali_pipelines.graph import DaliDecoder

    given: list[int] = []
    real = DaliDecoder.decode
    monkeypatch.setattr(
        DaliDecoder, "decode", lambda self, s: given.append(len(s)) or real(self, s)
    )
    monkeypatch.setattr("dali_pipelines.decoder.DALI_PIXELS", 3 * 20 * 20)
    images = [noise(12, (20, 20), seed=k) for k in range(4)] + [noise(12, (60, 60))]
    decoded = decoder.decode([encoded_of(image, "j2k", 12) for image in images])
    assert given == [3, 1, 1]  # one larger than the budget goes alone
    assert all(np.array_equal(p.values, v) for p, v in zip(decoded, images, strict=True))


def test_an_image_of_another_shape_than_announced_is_not_passed_on(
    decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    encoded = encoded_of(noise(12), "j2k", 12)
    stream = dataclasses.replace(encoded.record.stream, height=36)
    wrong = Encoded(encoded.data, dataclasses.replace(encoded.record, stream=stream))
    (refused,) = decoder.decode([wrong])
    assert isinstance(refused, RejectError)
    assert refused.reason is Reason.GEOMETRY


def test_any_exception_of_one_decoder_costs_its_sample(
    decoder: Decoder, noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Encoded) -> Pixels:
        raise ZeroDivisionError("Jane Doe")

    monkeypatch.setattr("dali_pipelines.decoder.decode", broken)
    refused, decoded = decoder.decode([encoded_of(noise(12), n, 12) for n in ("raw", "j2k")])
    assert isinstance(decoded, Pixels)
    assert (refused.reason, refused.detail) == (Reason.UNEXPECTED, "ZeroDivisionError")


def test_in_processes_every_codestream_comes_from_a_child_but_raw_values(
    noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dali_pipelines.decoder.decode", lambda item: Pixels(item.data))
    images = [noise(12, (20 + k, 30 - k), seed=k) for k in range(len(SYNTAXES))]
    batch = [encoded_of(image, name, 12) for image, name in zip(images, SYNTAXES, strict=True)]
    with new_decoder(isolation="process") as decoder:
        *decoded, raw = decoder.decode(batch)
        assert raw.values is batch[-1].data
        for image, pixels in zip(images, decoded, strict=False):
            assert np.array_equal(pixels.values, image)
        assert decoder.counts == {
            "imagecodecs j2k": 1,
            "imagecodecs htj2k": 1,
            "imagecodecs jpegls": 1,
            "imagecodecs jpeg_lossless": 1,
            "imagecodecs rle": 1,
            "numpy raw": 1,
        }


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_recipe_that_leaves_out_levels_gets_jpeg_2000_without_them(
    isolation: str, noise: Callable, encoded_of: Callable
) -> None:
    values = noise(12, (21, 33))
    batch = [encoded_of(values, name, 12) for name in ("j2k", "htj2k", "jpeg_sv1")]
    batch.append(encoded_of(noise(12, (1, 1)), "j2k", 12))
    with new_decoder(HALVES, isolation=isolation) as decoder:
        *halves, whole, no_level = decoder.decode(batch)
        assert [(p.reduce, p.values.shape) for p in halves] == [(1, (11, 17))] * 2
        assert (whole.reduce, no_level.reduce) == (0, 0)
        assert np.array_equal(whole.values, values)
        assert decoder.counts == {
            "pillow j2k 1/2": 1,
            "pillow htj2k 1/2": 1,
            "imagecodecs jpeg_lossless": 1,
            "imagecodecs j2k": 1,
        }


def test_jobs_give_what_a_batch_gives(
    decoder: Decoder, noise: Callable, encoded_of: Callable
) -> None:
    images = [noise(12, (20 + k, 30 - k), seed=k) for k in range(len(SYNTAXES))]
    batch = [encoded_of(image, name, 12) for image, name in zip(images, SYNTAXES, strict=True)]
    batch[0] = Encoded(batch[0].data[:200], batch[0].record)
    jobs = decoder.start([RejectError(Reason.CHANGED, "the file is another one now"), None, *batch])
    assert jobs[:2] == [None, None]
    refused, *decoded = [job() for job in jobs[2:][::-1]][::-1]
    assert refused.reason is Reason.CORRUPT
    for image, pixels in zip(images[1:], decoded, strict=True):
        assert np.array_equal(pixels.values, image)


def test_one_codestream_alone_obeys_the_recipe(noise: Callable, encoded_of: Callable) -> None:
    with new_decoder(HALVES) as decoder:
        assert decoder.decode_alone(encoded_of(noise(12), "j2k", 12)).reduce == 1
        cut = encoded_of(noise(12), "jpeg_sv1", 12)
        refused = decoder.decode_alone(Encoded(cut.data[:300], cut.record))
        assert refused.reason in {Reason.CORRUPT, Reason.TRUNCATED}
        assert decoder.counts == {"pillow j2k 1/2": 1}  # only pictures count


def test_a_pillow_without_jpeg_2000_is_told_before_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("PIL.features.check_codec", lambda _: False)
    with pytest.raises(DeviceError, match=r"reduce needs Pillow with JPEG 2000"):
        Decoder(LoaderSettings(), HALVES, ThreadPoolExecutor(1))
    Decoder(LoaderSettings(), WHOLE, ThreadPoolExecutor(1))


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        ([], []),
        ([2, 2, 2, 2], [[0, 1, 2], [3]]),  # 3 at most
        ([2, 2, 3, 2], [[0, 1], [2], [3]]),  # 4 + 4 + 9 px are more than 12, and 9 + 4 too
        ([9, 1, 1], [[0], [1, 2]]),  # one that alone is too large goes alone
    ],
)
def test_shares_hold_so_many_streams_and_pixels(
    sides: list[int], expected: list[list[int]], noise: Callable, encoded_of: Callable
) -> None:
    streams = [encoded_of(noise(12, (side, side)), "raw", 12) for side in sides]
    assert list(shares(streams, 3, 12)) == expected
