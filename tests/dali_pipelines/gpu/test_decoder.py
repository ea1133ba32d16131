"""Batches through a GPU decoder whose DALI is emulated: right, wrong, refusing, dying."""

import dataclasses
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.cpu.decode import decode
from dali_pipelines.decoder import Decoder
from dali_pipelines.gpu import intake
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.graph import BatchError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.routing import class_of
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import Reason, RejectError, guarded
from tests.dali_pipelines.gpu.emulated_dali import EmulatedDali

pytestmark = pytest.mark.usefixtures("host_device")

CANARIES = 2
SETTINGS = LoaderSettings(threads=2)


class HereDecoder(Decoder):
    """Decodes alone in this process: a child takes a second to start."""

    def decode_alone(self, item):
        self.counts[f"imagecodecs {item.record.stream.kind}"] += 1
        return guarded(partial(decode, item))


@pytest.fixture
def new_decoder(monkeypatch):
    """new_decoder(fault, ...) -> a decoder on an emulated DALI, and that DALI."""
    opened = []

    def make(fault=None, reduce=0, sound=True, cpu=HereDecoder):
        monkeypatch.setattr("dali_pipelines.gpu.decoder.can_decode_lossless", lambda: sound)
        recipe = Recipe("test", decode=DecodeSettings(reduce))
        pool = ThreadPoolExecutor(2)
        dali = EmulatedDali(fault)
        decoder = GpuDecoder(cpu(SETTINGS, recipe, pool), SETTINGS, recipe, lambda: dali)
        opened.append((pool, decoder))
        return decoder, dali

    yield make
    for pool, decoder in opened:
        pool.shutdown()
        decoder.close()


@pytest.fixture
def coded(noise, encoded_of):
    """coded(syntax, seed, precision, maker) -> the values of an image and its codestream."""

    def make(syntax="j2k", seed=0, precision=12, maker="Acme", **how):
        values = noise(precision, (20 + seed, 31 - seed), seed=seed)
        encoded = encoded_of(values, syntax, precision, **how)
        tags = dataclasses.replace(encoded.record.tags, manufacturer=maker)
        return values, Encoded(encoded.data, dataclasses.replace(encoded.record, tags=tags))

    return make


def run(decoder, batch):
    decoder.submit(batch)
    return decoder.receive()


def stored(pixels):
    """The values, wherever they are."""
    values = pixels.values
    return (values.numpy() if on_gpu(pixels) else values) >> pixels.shift


def on_gpu(pixels):
    return isinstance(pixels.values, torch.Tensor)


def moved(decoder):
    """The classes that the CPU decodes from now on."""
    return {name for name in decoder.counts if name.startswith("moved to the cpu: ")}


def move_of(item):
    return f"moved to the cpu: {class_of(item.record)}"


def from_frame(first, fault):
    """The fault, from the image `first` on that DALI sees."""
    seen = 0

    def delayed(info, values):
        nonlocal seen
        seen += 1
        return fault(info, values) if seen > first else values

    return delayed


def zeros(_info, values):
    return np.zeros_like(values)


def one_bit(_info, values):
    wrong = values.copy()
    wrong[0, 0] ^= 1
    return wrong


def cut_in_the_middle(item):
    """The stream without the second half of its data, but with its end mark."""
    half = len(item.data) // 2
    return Encoded(np.concatenate([item.data[:half], item.data[-2:]]), item.record)


@pytest.mark.parametrize(
    ("syntax", "precision", "took"),
    [
        ("j2k", 8, "dali gpu j2k"),
        ("j2k", 12, "dali gpu j2k"),
        ("htj2k", 16, "dali gpu htj2k"),
        ("jpeg_sv1", 8, "dali gpu jpeg_lossless"),
        ("jpeg_sv1", 12, "dali gpu jpeg_lossless"),
        ("jpeg_sv1", 16, "dali gpu jpeg_lossless"),
        ("jpeg_lossless", 12, "imagecodecs jpeg_lossless"),
        ("jpegls", 16, "imagecodecs jpegls"),
        ("rle", 12, "imagecodecs rle"),
        ("raw", 12, "numpy raw"),
    ],
)
def test_each_codestream_lands_where_it_should(syntax, precision, took, new_decoder, coded):
    decoder, dali = new_decoder()
    how = {"predictor": 6} if syntax == "jpeg_lossless" else {}
    values, item = coded(syntax, precision=precision, **how)
    (pixels,) = run(decoder, [item]).pixels
    assert np.array_equal(stored(pixels), values)
    assert decoder.counts[took] == 1
    assert on_gpu(pixels) is took.startswith("dali gpu") is bool(dali.fed)


@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "jpeg_sv1"])
@pytest.mark.parametrize("precision", [8, 9, 10, 14, 15, 16])
def test_values_are_exact_once_they_are_shifted(syntax, precision, new_decoder, coded):
    decoder, _ = new_decoder()
    values, item = coded(syntax, precision=precision)
    batch = run(decoder, [item])
    assert on_gpu(batch.pixels[0])
    assert batch.pixels[0].shift == 16 - precision
    assert np.array_equal(stored(batch.pixels[0]), values)
    assert batch.doubtful() == []
    assert not moved(decoder)


def test_values_that_hang_from_an_odd_high_bit_are_shifted_further(new_decoder, coded):
    values, item = coded("jpeg_sv1", precision=16)
    tags = dataclasses.replace(item.record.tags, bits_stored=12, high_bit=15)
    decoder, _ = new_decoder()
    batch = run(decoder, [Encoded(item.data, dataclasses.replace(item.record, tags=tags))])
    assert np.array_equal(stored(batch.pixels[0]), values >> 4)
    assert batch.doubtful() == []
    assert not moved(decoder)


def test_a_mixed_batch_comes_back_in_order(new_decoder, coded):
    decoder, dali = new_decoder()
    names = ["raw", "j2k", "jpeg_sv1", "jpegls", "htj2k", "rle", "j2k"]
    images = [coded(name, seed) for seed, name in enumerate(names)]
    early = RejectError(Reason.CHANGED, "the file is another one now")
    batch = run(decoder, [None, *(item for _, item in images), early])
    assert batch.pixels[0] is None
    assert batch.pixels[-1] is early
    for (values, _), pixels in zip(images, batch.pixels[1:-1], strict=True):
        assert np.array_equal(stored(pixels), values)
    assert dali.submitted == [4]
    assert [on_gpu(p) for p in batch.pixels[1:-1]] == [n in "j2k jpeg_sv1 htj2k" for n in names]


def test_batches_of_nothing_for_the_gpu_start_no_dali(new_decoder, coded):
    decoder, dali = new_decoder()
    assert run(decoder, []).pixels == []
    assert run(decoder, [None]).pixels == [None]
    run(decoder, [coded("raw")[1]])
    assert dali.fed == []


def test_batches_are_submitted_ahead(new_decoder, coded):
    decoder, _ = new_decoder()
    batches = [[coded("j2k", 2 * k), coded("rle", 2 * k + 1)] for k in range(4)]
    decoder.submit([item for _, item in batches[0]])
    for following in [*batches[1:], []]:
        decoder.submit([item for _, item in following])
    for batch in batches:
        found = decoder.receive().pixels
        assert [np.array_equal(stored(p), v) for p, (v, _) in zip(found, batch, strict=True)] == [
            True,
            True,
        ]


def test_a_header_with_its_tables_first_is_rewritten(new_decoder, noise, encoded_of):
    from dali_pipelines.phantom.encode import encode_frame

    values = noise(12)
    data = encode_frame(values, 12, "jpeg_sv1", tables_first=True)
    assert read_stream_info(data).tables_first
    record = encoded_of(values, "jpeg_sv1", 12).record
    decoder, dali = new_decoder()
    (pixels,) = run(decoder, [Encoded(np.frombuffer(data, np.uint8), record)]).pixels
    assert np.array_equal(stored(pixels), values)
    assert not read_stream_info(dali.fed[0][0]).tables_first


@pytest.mark.parametrize(("first", "seen_by"), [(0, "canary"), (CANARIES, "proof")])
def test_zeros_for_lossless_jpeg_are_noticed(first, seen_by, new_decoder, coded, caplog):
    """What nvJPEG before 13.0.2 does, from the first frame on and once the canary is content."""
    decoder, dali = new_decoder(from_frame(first, zeros))
    images = [coded("jpeg_sv1", seed) for seed in range(4)]
    with caplog.at_level(logging.WARNING, "mammo.decode"):
        batch = run(decoder, [item for _, item in images])
        doubtful = batch.doubtful()
        assert doubtful == ([] if seen_by == "canary" else [2, 3])
        for place in doubtful:
            batch.pixels[place] = decoder.resolve(images[place][1])
    for (values, _), pixels in zip(images, batch.pixels, strict=True):
        assert np.array_equal(stored(pixels), values)
    assert len(caplog.messages) == 1
    assert moved(decoder) == {move_of(images[0][1])}
    run(decoder, [coded("jpeg_sv1", 5)[1]])
    assert dali.submitted == [4]


@pytest.mark.parametrize("first", range(CANARIES))
def test_a_decoder_that_lies_about_j2k_is_caught(first, new_decoder, coded):
    decoder, dali = new_decoder(from_frame(first, one_bit))
    images = [coded("j2k", seed) for seed in range(4)]
    batch = run(decoder, [item for _, item in images])
    for (values, _), pixels in zip(images, batch.pixels, strict=True):
        assert np.array_equal(stored(pixels), values)
    assert [on_gpu(pixels) for pixels in batch.pixels] == [k < first for k in range(4)]
    assert moved(decoder) == {move_of(images[0][1])}
    assert run(decoder, [images[3][1]]).doubtful() == []
    assert dali.submitted == [4]


def test_a_ban_holds_for_the_class_alone_and_for_the_run(new_decoder, coded):
    def fault(info, values):
        return one_bit(info, values) if info.precision == 14 else values

    decoder, dali = new_decoder(fault)
    good, bad = coded("j2k", 0, precision=12), coded("j2k", 1, precision=14)
    other = coded("htj2k", 2, precision=12)
    for k in range(3):
        batch = run(decoder, [bad[1], good[1], other[1]])
        assert [on_gpu(pixels) for pixels in batch.pixels] == [False, True, True]
        for (values, _), pixels in zip((bad, good, other), batch.pixels, strict=True):
            assert np.array_equal(stored(pixels), values)
        assert dali.submitted[k] == (3 if k == 0 else 2)
    assert decoder.counts[move_of(bad[1])] == 1


def test_another_makers_codestreams_stay_on_the_gpu(new_decoder, coded):
    decoder, _ = new_decoder(
        lambda info, values: one_bit(info, values) if info.width > 30 else values
    )
    ours, theirs = coded("j2k", 0, maker="Acme"), coded("j2k", 5, maker="Emca")
    run(decoder, [ours[1]])
    batch = run(decoder, [ours[1], theirs[1]])
    assert [on_gpu(pixels) for pixels in batch.pixels] == [False, True]


def test_a_ban_reaches_the_batch_that_is_on_its_way(new_decoder, coded):
    decoder, dali = new_decoder(one_bit)
    images = [coded("j2k", seed) for seed in range(4)]
    decoder.submit([images[0][1]])
    decoder.submit([item for _, item in images[1:]])
    decoder.receive()
    batch = decoder.receive()
    assert dali.submitted == [1, 3]
    for (values, _), pixels in zip(images[1:], batch.pixels, strict=True):
        assert not on_gpu(pixels)
        assert np.array_equal(stored(pixels), values)


def test_a_picture_of_another_shape_moves_its_class_at_once(new_decoder, coded):
    images = [coded("htj2k", seed) for seed in range(4)]
    third = images[2][0].shape
    decoder, _ = new_decoder(lambda _, values: values[1:] if values.shape == third else values)
    batch = run(decoder, [item for _, item in images])
    assert [on_gpu(pixels) for pixels in batch.pixels] == [True, True, False, False]
    for (values, _), pixels in zip(images, batch.pixels, strict=True):
        assert np.array_equal(stored(pixels), values)
    assert moved(decoder) == {move_of(images[2][1])}


def test_a_damaged_file_in_a_refused_batch_gets_the_cpus_verdict(new_decoder, coded):
    decoder, _ = new_decoder()
    images = [coded("j2k", seed) for seed in range(3)]
    cut = cut_in_the_middle(images[1][1])
    for _ in range(2):
        first, bad, last = run(decoder, [images[0][1], cut, images[2][1]]).pixels
        assert isinstance(bad, RejectError)
        assert bad.reason is Reason.CORRUPT
        assert np.array_equal(stored(first), images[0][0])
        assert np.array_equal(stored(last), images[2][0])
    assert decoder.counts["gpu batches decoded again one by one"] == 2
    assert not moved(decoder)
    assert on_gpu(run(decoder, [images[0][1]]).pixels[0])


def refuse(info, values):
    if info.kind == "jpeg_lossless":
        raise BatchError("no such thing")
    return values


def test_a_class_that_is_sound_and_refused_moves(new_decoder, coded):
    decoder, dali = new_decoder(refuse)
    values, item = coded("jpeg_sv1")
    for _ in range(2):
        (pixels,) = run(decoder, [item]).pixels
        assert np.array_equal(stored(pixels), values)
    assert moved(decoder) == {move_of(item)}
    assert dali.submitted == [1]


def test_of_a_mixed_batch_the_class_that_is_refused_is_found(new_decoder, coded):
    decoder, dali = new_decoder(refuse)
    j2k, sv1 = coded("j2k"), coded("jpeg_sv1", 1)
    batches = [run(decoder, [j2k[1], sv1[1], j2k[1]]) for _ in range(3)]
    for batch in batches:
        for pixels, values in zip(batch.pixels, (j2k[0], sv1[0], j2k[0]), strict=True):
            assert np.array_equal(stored(pixels), values)
    assert dali.submitted == [3, 2, 1, 2]
    assert moved(decoder) == {move_of(sv1[1])}
    assert on_gpu(batches[2].pixels[0])


def test_a_cut_and_closed_lossless_jpeg_is_doubtful_and_rejected(new_decoder, coded):
    decoder, _ = new_decoder()
    images = [coded("jpeg_sv1", seed) for seed in range(4)]
    cut = cut_in_the_middle(images[3][1])
    batch = run(decoder, [*(item for _, item in images[:3]), cut])
    assert batch.doubtful() == [3]
    verdict = decoder.resolve(cut)
    assert isinstance(verdict, RejectError)
    assert verdict.reason is Reason.TRUNCATED
    assert not moved(decoder)


def test_a_canary_whose_codestream_is_damaged_says_nothing_of_its_class(new_decoder, coded):
    decoder, _ = new_decoder()
    images = [coded("jpeg_sv1", seed) for seed in range(4)]
    cut = cut_in_the_middle(images[0][1])
    batch = run(decoder, [cut, *(item for _, item in images[1:])])
    assert isinstance(batch.pixels[0], RejectError)
    for (values, _), pixels in zip(images[1:], batch.pixels[1:], strict=True):
        assert on_gpu(pixels)
        assert np.array_equal(stored(pixels), values)
    assert decoder.counts["canary frames"] == CANARIES


def test_no_frame_of_a_class_is_given_out_before_the_canary_has_seen_enough(new_decoder, coded):
    """Both frames that were claimed are damaged; the lie is in a frame after them."""
    decoder, _ = new_decoder(from_frame(2, one_bit))
    images = [coded("jpeg_sv1", seed) for seed in range(4)]
    cuts = [cut_in_the_middle(item) for _, item in images[:2]]
    batch = run(decoder, [*cuts, images[2][1], images[3][1]])
    for (values, _), pixels in zip(images[2:], batch.pixels[2:], strict=True):
        assert np.array_equal(stored(pixels), values)
    assert moved(decoder) == {move_of(images[2][1])}


def test_a_scan_without_an_end_gets_the_cpus_verdict(new_decoder, coded):
    """No budget can be read of it, so that no picture of it can be proved."""
    decoder, dali = new_decoder()
    items = [coded("jpeg_sv1", seed)[1] for seed in range(3)]
    endless = Encoded(items[2].data[:-2], items[2].record)
    batch = run(decoder, [*items[:2], endless])
    assert dali.submitted == [3]
    assert isinstance(batch.pixels[2], RejectError)
    assert batch.doubtful() == []
    assert not moved(decoder)


def test_a_header_that_cannot_be_read_is_not_fed(new_decoder, coded):
    decoder, dali = new_decoder()
    _, item = coded("jpeg_sv1")
    (verdict,) = run(decoder, [Encoded(item.data[:9], item.record)]).pixels
    assert isinstance(verdict, RejectError)
    assert dali.fed == []


def test_a_constant_picture_is_no_evidence_against_its_class(new_decoder, coded, encoded_of):
    decoder, _ = new_decoder()
    images = [coded("jpeg_sv1", seed) for seed in range(2)]
    blank = np.full((9, 8), 77, np.uint16)
    item = Encoded(encoded_of(blank, "jpeg_sv1", 12).data, encoded_of(blank, "jpeg_sv1", 12).record)
    batch = run(decoder, [*(item for _, item in images), item])
    assert batch.doubtful() == [2]
    assert np.array_equal(decoder.resolve(item).values, blank)
    assert not moved(decoder)


def test_an_unsound_nvjpeg_is_given_nothing(new_decoder, coded):
    decoder, dali = new_decoder(sound=False)
    batch = run(decoder, [coded("jpeg_sv1")[1], coded("j2k")[1]])
    assert [on_gpu(pixels) for pixels in batch.pixels] == [False, True]
    assert dali.submitted == [1]


def test_levels_are_left_out_on_the_cpu(new_decoder, noise, encoded_of):
    decoder, dali = new_decoder(reduce=1, cpu=Decoder)
    values = noise(12, (64, 40))
    batch = run(decoder, [encoded_of(values, "j2k", 12), encoded_of(values, "jpeg_sv1", 12)])
    reduced, whole = batch.pixels
    assert (reduced.reduce, reduced.values.shape) == (1, (32, 20))
    assert on_gpu(whole)
    assert np.array_equal(stored(whole), values)
    assert dali.submitted == [1]


def test_dali_is_given_a_few_at_a_time(new_decoder, coded, monkeypatch):
    monkeypatch.setattr(intake, "DALI_BATCH", 3)
    decoder, dali = new_decoder()
    images = [coded("j2k", seed) for seed in range(7)]
    batch = run(decoder, [item for _, item in images])
    assert dali.submitted == [3, 3, 1]
    for (values, _), pixels in zip(images, batch.pixels, strict=True):
        assert np.array_equal(stored(pixels), values)


def test_the_counts_add_up(new_decoder, coded):
    decoder, _ = new_decoder(from_frame(3, zeros))
    items = [coded(name, seed)[1] for seed, name in enumerate(["jpeg_sv1"] * 4 + ["rle", "raw"])]
    batch = run(decoder, items)
    (place,) = batch.doubtful()
    decoder.resolve(items[place])
    assert decoder.counts == {
        "dali gpu jpeg_lossless": 4,
        "imagecodecs jpeg_lossless": CANARIES + 1,
        "imagecodecs rle": 1,
        "numpy raw": 1,
        "canary frames": CANARIES,
        "doubts": 1,
        move_of(items[0]): 1,
    }


def test_drain_throws_away_what_waits(new_decoder, coded):
    decoder, dali = new_decoder()
    for seed in range(3):
        decoder.submit([coded("j2k", seed)[1], coded("rle", seed)[1]])
    decoder.drain()
    assert dali.drained == 3
    values, item = coded("j2k", 4)
    assert np.array_equal(stored(run(decoder, [item]).pixels[0]), values)


def test_a_gpu_that_dies_ends_the_run_and_not_the_closing(new_decoder, coded):
    def die(_info, _values):
        raise RuntimeError("an illegal memory access was encountered")

    decoder, _ = new_decoder(die)
    decoder.submit([coded("j2k")[1]])
    decoder.submit([coded("j2k", 1)[1]])
    with pytest.raises(RuntimeError, match="illegal memory access"):
        decoder.receive()
    decoder.close()


def test_doubts_are_settled_in_a_child(new_decoder, coded):
    decoder, _ = new_decoder(one_bit, cpu=Decoder)
    values, item = coded("j2k")
    (pixels,) = run(decoder, [item]).pixels
    assert isinstance(pixels, Pixels)
    assert np.array_equal(stored(pixels), values)
    assert decoder.counts["imagecodecs j2k"] == 1


def test_a_lack_of_memory_says_nothing_of_the_class(new_decoder, coded):
    def out_of_memory(_info, _values):
        raise BatchError("no memory", of_a_file=False)

    decoder, _ = new_decoder(out_of_memory)
    values, item = coded()
    (pixels,) = run(decoder, [item]).pixels
    assert np.array_equal(stored(pixels), values)
    assert not moved(decoder)
