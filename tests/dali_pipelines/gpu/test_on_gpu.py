"""The whole way on a GPU with DALI's mixed decoder, and the same checks where both are emulated."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch

from dali_pipelines.cpu.decode import decode
from dali_pipelines.decoder import DALI_BATCH, Decoder
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.gpu.device import current_device
from dali_pipelines.graph import DaliDecoder
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.pixel_settings import ResizeSettings, StretchSettings
from dali_pipelines.plan import sequential_blocks, shuffled_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.routing import route_gpu
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import RejectError, guarded
from tests.dali_pipelines.gpu.compared_batches import assert_same, collect, on_cpu
from tests.dali_pipelines.gpu.emulated_dali import EmulatedDali
from tests.dali_pipelines.gpu.real_device import on_host

RECIPE = Recipe("test", resize=ResizeSettings(size=(96, 48)))
SETTINGS = LoaderSettings(threads=2, batch=8)
BY_GPU = ("j2k", "htj2k", "jpeg_sv1")
SLACK_MIB = 64  # what allocators keep; the batches of 20 epochs here would be 500 MiB


@pytest.fixture(params=["emulated", pytest.param("real", marks=pytest.mark.gpu)])
def new_dali(request, monkeypatch):
    """A function that makes the mixed decoder, with its GPU in place."""
    if request.param == "real":
        index = request.getfixturevalue("real_device").torch_device.index
        yield lambda: DaliDecoder(DALI_BATCH, 8, "mixed", index)
        torch.cuda.synchronize()  # the context is alive: nothing before has killed it
        return

    def decode_here(decoder, item):  # a child takes a second to start
        decoder.counts[f"imagecodecs {item.record.stream.kind}"] += 1
        return guarded(partial(decode, item))

    request.getfixturevalue("host_device")
    monkeypatch.setattr("dali_pipelines.decoder.Decoder.decode_alone", decode_here)
    monkeypatch.setattr("dali_pipelines.steps._missing_for_gpu", lambda: "")
    monkeypatch.setattr("dali_pipelines.gpu.decoder.can_decode_lossless", lambda: True)
    monkeypatch.setattr("dali_pipelines.gpu.decoder._new_dali", lambda _: EmulatedDali())
    yield EmulatedDali


@pytest.fixture
def decoder(new_dali):
    with ThreadPoolExecutor(2) as pool:
        made = GpuDecoder(Decoder(SETTINGS, RECIPE, pool), SETTINGS, RECIPE, new_dali)
        yield made
        made.close()


@pytest.fixture
def new_loader(new_dali):
    """new_loader(records, recipe) -> a loader on the GPU."""
    opened = []

    def make(records, recipe=RECIPE):
        opened.append(Loader(records, recipe, SETTINGS, "gpu"))
        return opened[-1]

    yield make
    for loader in opened:
        loader.close()


@pytest.fixture
def records(phantom_manifest):
    """Phantoms in all syntaxes: 17 codings in turn."""
    return to_records(read_manifest(phantom_manifest))


def decoded(decoder, batch):
    """What comes of a batch when all its doubts are resolved."""
    decoder.submit(batch)
    found = decoder.receive()
    for place in found.doubtful():
        found.pixels[place] = decoder.resolve(batch[place])
    return found.pixels


def stored(pixels):
    return on_host(pixels.values) >> pixels.shift


def moved(counts):
    return [name for name in counts if name.startswith("moved to the cpu")]


# ---- decoder -----------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", range(8, 17))
def test_every_syntax_is_exact(precision, decoder, noise, encoded_of):
    codings = [(syntax, 1) for syntax in (*BY_GPU, "rle", "raw")]
    codings += [("jpeg_lossless", predictor) for predictor in range(1, 8)]
    codings += [("jpegls", 1)] if precision in {8, 16} else []
    images = [noise(precision, (40 + k, 61 - k), seed=k) for k in range(len(codings))]
    batch = [
        encoded_of(values, syntax, precision, predictor=predictor)
        for values, (syntax, predictor) in zip(images, codings, strict=True)
    ]
    for pixels, values, item in zip(decoded(decoder, batch), images, batch, strict=True):
        assert np.array_equal(stored(pixels), values)
        by_gpu = route_gpu(item.record.stream, RECIPE.decode, sound_nvjpeg=True) == "gpu"
        assert isinstance(pixels.values, torch.Tensor) is by_gpu
    assert not moved(decoder.counts)


def garbage(data):
    noisy = np.random.default_rng(0).integers(0, 256, len(data)).astype(np.uint8)
    noisy[:2] = data[:2]
    return noisy


def cut(data):
    return np.concatenate([data[: len(data) // 2], data[-2:]])


def noise_inside(data):
    noisy = data.copy()
    middle = slice(len(data) // 2, len(data) // 2 + 40)
    noisy[middle] = np.random.default_rng(1).integers(0, 0x80, 40)  # no byte that begins a marker
    return noisy


def header_only(data):
    return np.concatenate([data[:100], data[-2:]])


# OpenJPH's errors inside a codestream become such a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("damage", [garbage, cut, noise_inside, header_only])
@pytest.mark.parametrize("syntax", BY_GPU)
def test_damage_costs_one_sample(syntax, damage, decoder, noise, encoded_of):
    images = [noise(12, (90 + k, 80), seed=k) for k in range(6)]
    good = [(encoded_of(values, syntax, 12), values) for values in images]
    bad = Encoded(damage(good[0][0].data), good[0][0].record), None
    surely_seen = damage is garbage or (syntax == "jpeg_sv1" and damage is not noise_inside)
    for batch in (good, [*good[:2], bad, *good[2:]], [bad], good):
        found = decoded(decoder, [item for item, _ in batch])
        for pixels, (_, values) in zip(found, batch, strict=True):
            if values is not None:
                assert np.array_equal(stored(pixels), values)
            elif surely_seen:
                assert isinstance(pixels, RejectError)
            else:  # the reader has the word on what is cut; noise may be an image of noise
                assert isinstance(pixels, RejectError) or stored(pixels).shape == images[0].shape


class Lying:
    """A mixed decoder that makes the first px of each image wrong, from the third image on."""

    def __init__(self, dali):
        self._dali = dali
        self._seen = 0
        self.submit, self.drain = dali.submit, dali.drain

    def receive(self):
        images = self._dali.receive()
        for image in images:
            self._seen += 1
            if self._seen > 2:
                image[:8].zero_()
        return images


def test_a_lie_after_the_canary_is_found_by_the_proof(new_dali, noise, encoded_of):
    images = [noise(12, (40, 50), seed=k) for k in range(6)]
    batch = [encoded_of(values, "jpeg_sv1", 12) for values in images]
    with ThreadPoolExecutor(2) as pool:
        lying = GpuDecoder(
            Decoder(SETTINGS, RECIPE, pool), SETTINGS, RECIPE, lambda: Lying(new_dali())
        )
        for pixels, values in zip(decoded(lying, batch), images, strict=True):
            assert np.array_equal(stored(pixels), values)
        assert len(moved(lying.counts)) == 1
        assert all(isinstance(p, Pixels) for p in decoded(lying, batch))
        assert lying.counts["dali gpu jpeg_lossless"] == 6
        lying.close()


# ---- loader ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "recipe",
    [
        RECIPE,
        Recipe("stretched", stretch=StretchSettings("percentiles", 1, 99), resize=RECIPE.resize),
        Recipe("bfloat16", resize=ResizeSettings(size=(48, 96), channels=3, dtype="bfloat16")),
        Recipe("float16", resize=ResizeSettings(size=(64, 64), fit="stretch", dtype="float16")),
        Recipe("triangle", resize=ResizeSettings(size=(64, 64), filter="triangle", bits=8)),
        Recipe("spread", resize=ResizeSettings(size=(64, 64), fit="keep", per_image="standardize")),
    ],
    ids=lambda recipe: recipe.name,
)
def test_the_loader_gives_the_batches_of_the_cpu(recipe, records, new_loader):
    blocks = sequential_blocks(len(records), 5)
    loader = new_loader(records, recipe)
    assert_same(collect(loader, blocks), on_cpu(records, blocks, recipe))
    assert not loader.rejects
    assert not moved(loader.counts)


def test_two_runs_and_runs_left_early(records, new_loader):
    loader = new_loader(records)
    blocks = sequential_blocks(len(records), 4)
    wanted = on_cpu(records, blocks, RECIPE)
    assert_same(collect(loader, blocks), wanted)
    for seed in range(3):
        run = loader.run(shuffled_blocks(None, len(records), 2, seed=seed, epoch=0))
        next(run)
        run.close()
    assert_same(collect(loader, blocks), wanted)


def test_a_slow_reader_sees_its_batch(records, new_loader):
    """The consumer's work waits in its stream while the producer is about to reuse the slots."""
    loader, blocks = new_loader(records[:12]), sequential_blocks(12, 2)
    copies = []
    for batch in loader.run(blocks):
        if batch.images.is_cuda:
            torch.cuda._sleep(100_000_000)  # about 60 ms: longer than the next batches take
        copies.append(batch.images.clone())
    wanted = on_cpu(records[:12], blocks, RECIPE)
    for copy, (images, *_) in zip(copies, wanted, strict=True):
        assert np.array_equal(on_host(copy), images)


def test_memory_does_not_grow(records, new_loader):
    on_gpu = current_device().torch_device.type == "cuda"
    recipe = Recipe("large", resize=ResizeSettings(size=(1024, 512))) if on_gpu else RECIPE
    loader = new_loader(records[:12], recipe)
    used_mib = []
    for epoch in range(24 if on_gpu else 3):
        for batch in loader.run(shuffled_blocks(None, 12, 4, seed=0, epoch=epoch)):
            assert batch.valid.all()
        if on_gpu:
            free, total = torch.cuda.mem_get_info()
            used_mib.append((total - free) / 2**20)
    if on_gpu:
        assert max(used_mib[4:]) - max(used_mib[:4]) < SLACK_MIB, used_mib
