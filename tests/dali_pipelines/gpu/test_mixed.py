"""DALI's mixed decoder itself: needs a GPU; REQUIRE_GPU=1 makes its absence a failure."""

import importlib.util
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from dali_pipelines.decoder import Decoder
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.graph import BatchError, DaliDecoder
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.nvjpeg import can_decode_lossless
from dali_pipelines.recipe import Recipe

BATCH = 4

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def mixed():
    if not torch.cuda.is_available() or importlib.util.find_spec("cupy") is None:
        message = "there is no GPU, or no CuPy"
        if os.environ.get("REQUIRE_GPU") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return DaliDecoder(BATCH, threads=8, device="mixed", device_id=torch.cuda.current_device())


def stored(image, precision):
    return image.cpu().numpy() >> (16 - precision)


@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "jpeg_sv1"])
@pytest.mark.parametrize("precision", range(8, 17))
def test_every_value_comes_back_by_a_shift(syntax, precision, mixed, noise, encoded_of):
    images = [noise(precision, (200 + k, 300 - k), seed=k) for k in range(BATCH)]
    found = mixed.decode([encoded_of(values, syntax, precision).data for values in images])
    for image, values in zip(found, images, strict=True):
        assert (image.dtype, image.device.type) == (torch.uint16, "cuda")
        assert image.is_contiguous()
        assert np.array_equal(stored(image, precision), values)


def test_all_values_of_16_bits_survive(mixed, encoded_of):
    values = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    for syntax in ("j2k", "htj2k", "jpeg_sv1"):
        (image,) = mixed.decode([encoded_of(values, syntax, 16).data])
        assert np.array_equal(stored(image, 16), values)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_refusal_costs_its_own_batch(bad, mixed, noise, encoded_of):
    images = [noise(12, (90 + k, 80), seed=k) for k in range(3)]
    for k, values in enumerate(images):
        data = encoded_of(values, "j2k", 12).data
        mixed.submit([data[:60] if k == bad else data])
    for k, values in enumerate(images):
        if k == bad:
            with pytest.raises(BatchError):
                mixed.receive()
        else:
            (image,) = mixed.receive()
            assert np.array_equal(stored(image, 12), values)


def test_images_are_ordered_on_the_current_stream(mixed, noise, encoded_of):
    """Kernels queued at once on a private stream see the picture, and later batches spare it."""
    values = [noise(16, (2000, 1500), seed=k) for k in range(6)]
    data = [encoded_of(image, "htj2k", 16).data for image in values]
    stream = torch.cuda.Stream()
    kept, sums = [], []
    with torch.cuda.stream(stream):
        for item in data:
            (image,) = mixed.decode([item])
            kept.append(image)
            sums.append(image.to(torch.int64).sum())
    stream.synchronize()
    assert [int(total) for total in sums] == [int(image.sum(dtype=np.int64)) for image in values]
    assert all(np.array_equal(a.cpu().numpy(), b) for a, b in zip(kept, values, strict=True))


def test_memory_is_not_reused_while_kernels_that_read_it_wait(mixed, noise, encoded_of):
    """A picture is let go of at once, with its reading queued behind slow work."""
    values = [noise(16, (2000, 1500), seed=k) for k in range(8)]
    data = [encoded_of(image, "htj2k", 16).data for image in values]
    stream = torch.cuda.Stream()
    sums = []
    with torch.cuda.stream(stream):
        for item in data:
            torch.cuda._sleep(50_000_000)
            (image,) = mixed.decode([item])
            sums.append(image.to(torch.int64).sum())
            del image
    stream.synchronize()
    assert [int(total) for total in sums] == [int(image.sum(dtype=np.int64)) for image in values]


@pytest.mark.usefixtures("mixed")
def test_the_loaded_nvjpeg_is_sound():
    assert can_decode_lossless()


@pytest.mark.usefixtures("mixed")
def test_no_class_of_ours_moves_to_the_cpu(noise, encoded_of):
    settings, recipe = LoaderSettings(threads=2), Recipe("test")
    images = [noise(12, (300, 200 + k), seed=k) for k in range(4)]
    with ThreadPoolExecutor(2) as pool:
        decoder = GpuDecoder(Decoder(settings, recipe, pool), settings, recipe)
        try:
            for syntax in ("j2k", "htj2k", "jpeg_sv1"):
                decoder.submit([encoded_of(values, syntax, 12) for values in images])
                batch = decoder.receive()
                assert batch.doubtful() == []
                for pixels, values in zip(batch.pixels, images, strict=True):
                    assert np.array_equal(stored(pixels.values, 12), values)
            assert not [name for name in decoder.counts if name.startswith("moved")]
            assert decoder.counts["canary frames"] == 6
        finally:
            decoder.close()
