"""Each part that is measured does its work: the right values, all images, and nothing hidden."""

import dataclasses
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom import dcmread

from benchmarks import decode, loader, pipeline, train_step
from benchmarks.job import Job, OpenPass
from dali_pipelines.decoder import Decoder, Result
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.stages import Encoded
from dali_pipelines.steps import Steps

PARTS = (decode.open_pass, pipeline.open_pass, loader.open_pass, train_step.open_fed_pass)
NOT_NATIVE = ("rle", "j2k", "jpegls", "jpeg_sv1", "jpeg_lossless")


def test_a_job_by_hand(make_job: Callable[..., Job]) -> None:
    job = make_job("raw", 5)
    assert job.megapixels == pytest.approx(5 * 128 * 104 / 1e6)
    assert [len(batch) for batch in job.batches] == [2, 2, 1]
    assert job.blocks.tolist() == [[0, 1], [2, 3], [4, -1]]
    assert job.torch_device == torch.device("cpu")


@pytest.mark.parametrize("open_pass", PARTS, ids=lambda part: f"{part.__module__}.{part.__name__}")
@pytest.mark.parametrize("syntax", ["j2k", "jpeg_sv1"])
def test_a_part_runs_again_and_again(
    make_job: Callable[..., Job], syntax: str, open_pass: OpenPass
) -> None:
    with open_pass(make_job(syntax)) as run:
        run()
        run()


@pytest.mark.parametrize("syntax", NOT_NATIVE)
def test_a_bare_decoder_gives_the_stored_values(make_job: Callable[..., Job], syntax: str) -> None:
    record = make_job(syntax, 1).records[0]
    values = decode.decode_bare(decode.read_stream(record))
    wanted = dcmread(record.location.path).pixel_array
    found = np.frombuffer(values, "<u2").reshape(wanted.shape)
    assert np.array_equal(found, wanted)


@pytest.mark.skipif(
    multiprocessing.get_start_method() != "fork", reason="what is patched here stays here"
)
@pytest.mark.parametrize("syntax", ["j2k", "jpeg_sv1"])
def test_processes_decode_each_image_once_a_pass(
    make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, syntax: str
) -> None:
    """By the libraries alone, not by DALI; the warm-up decodes one for each of two processes."""
    notes = tmp_path / "notes"

    def note(item: Encoded) -> None:
        with notes.open("a") as file:
            file.write(f"{os.getpid()} {item.record.image_id}\n")

    monkeypatch.setattr(decode, "decode_bare", note)
    monkeypatch.setattr(decode, "_dali", lambda _: pytest.fail("DALI was asked"))
    job = make_job(syntax, 5)
    with decode.open_pass(job) as run:
        assert len(notes.read_text().splitlines()) == 2
        notes.unlink()
        run()
    lines = [line.split() for line in notes.read_text().splitlines()]
    assert str(os.getpid()) not in {pid for pid, _ in lines}
    assert sorted(name for _, name in lines) == sorted(r.image_id for r in job.records)


def test_a_decoder_that_fails_ends_the_pass(make_job: Callable[..., Job]) -> None:
    job = make_job("j2k", 1)
    item = decode.read_stream(job.records[0])
    with (
        pytest.raises(RuntimeError),
        decode._open_processes([Encoded(item.data[:50], item.record)], 1),
    ):
        pass


def test_the_steps_get_each_image_of_a_pass_once(
    make_job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, ...]] = []

    def prepare(_steps, pixels, shadings, _recipe, out):
        seen.extend(image.values.shape for image in pixels)
        assert len(shadings) == len(pixels) == len(out)
        assert out.shape[1:] == (1, 64, 32)

    monkeypatch.setattr(Steps, "prepare", prepare)
    with pipeline.open_pass(make_job("raw", 5)) as run:
        run()
    assert seen == [(128, 104)] * 5


@pytest.mark.parametrize("open_pass", [loader.open_pass, train_step.open_fed_pass])
def test_a_rate_over_fewer_images_is_refused(
    make_job: Callable[..., Job], open_pass: OpenPass
) -> None:
    job = make_job("raw", 3)
    Path(job.records[1].location.path).unlink()
    with open_pass(job) as run, pytest.raises(DatasetError, match=r"1 of 3 images .*\(E_"):
        run()


def test_decoding_says_which_kind_of_file_is_in_the_way(make_job: Callable[..., Job]) -> None:
    job = make_job("raw", 2)
    Path(job.records[0].location.path).unlink()
    for part in (decode.open_pass, pipeline.open_pass):
        with pytest.raises(DatasetError, match="cannot be read: E_"), part(job):
            pass


def test_a_step_learns(make_job: Callable[..., Job]) -> None:
    job = make_job("raw", 2)
    step = train_step._Step(job)
    before = [p.detach().clone() for p in step._model.parameters()]
    step(torch.randn(2, 1, 64, 32), torch.ones(2, dtype=torch.bool))
    after = list(step._model.parameters())
    assert not all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    with pytest.raises(ConfigError, match="no model"):
        train_step._Step(dataclasses.replace(job, model="nonet"))


def test_the_import_baseline_is_the_same_for_all_syntaxes(make_job: Callable[..., Job]) -> None:
    for syntax in ("raw", "j2k"):
        assert loader.libraries(make_job(syntax, 1)) == ("torch", "timm")
    on_gpu = dataclasses.replace(make_job("raw", 1), device="gpu")
    assert loader.libraries(on_gpu) == ("torch", "timm", "dali_pipelines.graph")


@pytest.mark.parametrize(("isolation", "children"), [("thread", 0), ("process", 1)])
def test_a_loader_decodes_where_it_is_told_to(
    make_job: Callable[..., Job],
    monkeypatch: pytest.MonkeyPatch,
    isolation: loader.Isolation,
    children: int,
) -> None:
    asked: list[Encoded] = []
    decode_alone = Decoder.decode_alone

    def note(decoder: Decoder, item: Encoded) -> Result:
        asked.append(item)
        return decode_alone(decoder, item)

    monkeypatch.setattr(Decoder, "decode_alone", note)
    with loader.open_pass(make_job("jpegls", 1), isolation) as run:
        run()
    assert len(asked) == children
