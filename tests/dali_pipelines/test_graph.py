"""The DALI pipeline on the CPU: batches ahead, refusals, order."""

import itertools

import numpy as np
import pytest
import torch

from dali_pipelines.graph import BatchError, DaliDecoder

BATCH = 4


@pytest.fixture(scope="module")
def decoder():
    return DaliDecoder(BATCH, threads=2)


@pytest.fixture
def coded(noise, encoded_of):
    """coded(seed) -> the values of an image, of a size of its own, and its codestream."""

    def make(seed):
        values = noise(12, (30 + 3 * seed, 50 - 2 * seed), seed=seed)
        return values, encoded_of(values, "j2k", 12).data

    return make


@pytest.fixture
def half(coded):
    """A codestream that ends in its middle."""
    data = coded(0)[1]
    return data[: len(data) // 2]


def equal(images, wanted):
    return len(images) == len(wanted) and all(map(np.array_equal, images, wanted))


def test_ragged_images_come_back_in_order(decoder, coded):
    values, data = zip(*(coded(seed) for seed in range(BATCH)), strict=True)
    images = decoder.decode(data)
    assert equal(images, values)
    assert all(image.dtype == np.uint16 for image in images)


@pytest.mark.parametrize("precision", [9, 12, 16])
def test_the_cpu_gives_stored_values(precision, decoder, noise, encoded_of):
    values = noise(precision)
    assert equal(decoder.decode([encoded_of(values, "htj2k", precision).data]), [values])


def test_batches_are_submitted_ahead_and_received_in_order(decoder, coded):
    batches = [[coded(0), coded(1)], [coded(2)], [coded(3), coded(4), coded(5)], [coded(6)]]
    for batch in batches:
        decoder.submit([data for _, data in batch])
    for batch in batches:
        assert equal(decoder.receive(), [values for values, _ in batch])


def test_one_can_stay_submitted_all_the_time(decoder, coded):
    values, data = coded(1)
    decoder.submit([data])
    for seed in range(2, 8):
        following, data = coded(seed)
        decoder.submit([data])
        assert equal(decoder.receive(), [values])
        values = following
    assert equal(decoder.receive(), [values])


@pytest.mark.parametrize("bad", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_a_refusal_costs_its_own_batch(bad, decoder, coded, half):
    batches = [[coded(2 * k), coded(2 * k + 1)] for k in range(3)]
    for k, batch in enumerate(batches):
        decoder.submit([half if k in bad else batch[0][1], batch[1][1]])
    for k, batch in enumerate(batches):
        if k in bad:
            with pytest.raises(BatchError, match="refused a batch"):
                decoder.receive()
        else:
            assert equal(decoder.receive(), [values for values, _ in batch])
    values, data = coded(7)
    assert equal(decoder.decode([data]), [values])


@pytest.mark.parametrize("data", [b"", b"\xff\x4f", b"junk" * 99])
def test_no_codestream_at_all_is_a_refusal_too(data, decoder, coded):
    with pytest.raises(BatchError):
        decoder.decode([np.frombuffer(data, np.uint8)])
    values, data = coded(3)
    assert equal(decoder.decode([data]), [values])


def test_drain_throws_away_what_waits(decoder, coded, half):
    decoder.submit([coded(0)[1]])
    decoder.submit([half])
    decoder.submit([coded(1)[1]])
    decoder.drain()
    values, data = coded(2)
    assert equal(decoder.decode([data]), [values])


def test_a_batch_that_went_missing_is_noticed(coded):
    decoder = DaliDecoder(BATCH, threads=1)
    for seed in range(3):
        decoder.submit([coded(seed)[1]])
    decoder.receive()
    decoder._pipeline.share_outputs()
    with pytest.raises(AssertionError, match=r"gave batch \[2\] where batch 1 was due"):
        decoder.receive()


def test_decode_does_not_take_a_batch_that_waits(decoder, coded):
    decoder.submit([coded(0)[1]])
    with pytest.raises(AssertionError, match="wait to be received"):
        decoder.decode([coded(1)[1]])
    decoder.drain()


@pytest.mark.parametrize("count", [0, BATCH + 1])
def test_a_batch_of_another_size_is_our_mistake(count, decoder, coded):
    values, data = coded(0)
    with pytest.raises(AssertionError, match=f"{count} codestreams"):
        decoder.submit([data] * count)
    assert equal(decoder.decode([data]), [values])


def test_images_keep_their_values_while_later_batches_are_decoded(decoder, coded):
    kept = []
    for seed in itertools.islice(itertools.cycle(range(8)), 24):
        values, data = coded(seed)
        kept.append((decoder.decode([data])[0], values))
    assert all(np.array_equal(image, values) for image, values in kept)


def test_the_bytes_may_change_once_they_are_submitted(decoder, coded):
    values, data = coded(4)
    buffer = data.copy()
    decoder.submit([buffer])
    buffer[:] = 0
    assert equal(decoder.receive(), [values])


def test_tensors_come_over_without_a_copy(coded, monkeypatch):
    """The way of a GPU's images, walked with images on the CPU."""
    decoder = DaliDecoder(BATCH, threads=1)
    monkeypatch.setattr(decoder, "_device_id", 0)
    monkeypatch.setattr(decoder, "_stream", lambda: None)
    values, data = coded(5)
    (image,) = decoder.decode([data])
    assert (image.dtype, image.shape) == (torch.uint16, values.shape)
    assert image.is_contiguous()
    assert np.array_equal(image.numpy(), values)
