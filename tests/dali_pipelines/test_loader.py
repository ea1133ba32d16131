"""From files to batches: right pixels, bad files cost their own slot, nothing waits or leaks."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.errors import DeviceError
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.plan import EMPTY, sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shading import image_shading
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason

RECIPE = Recipe("test", resize=ResizeSettings(size=(16, 12), fit="stretch", mean=0.0, std=1.0))
WHOLE = Recipe(
    "whole",
    roi=RoiSettings(method="none", mirror="none"),
    resize=ResizeSettings(size=(32, 24), fit="stretch", mean=0.0, std=1.0),
)
KEY = b"k" * 32
SYNTAXES = ["j2k", "jpeg_sv1", "htj2k", "jpegls", "rle", "raw", "deflated"]


@pytest.fixture
def records(tmp_path: Path, noise: Callable) -> list[ImageRecord]:
    """Seven images of 32 x 24, one in each syntax; identity windows, so display = stored."""
    made = []
    for k, syntax in enumerate(SYNTAXES):
        spec = HeaderSpec(syntax=syntax, precision=12, sop_uid=make_uid(f"image {k}"))
        path = tmp_path / f"{k}.dcm"
        write_dicom(path, noise(12, (32, 24), seed=k), spec)
        made.append(read_image(Source(str(path)), KEY, ReadOptions()))
    return made


def displayed(values: np.ndarray) -> np.ndarray:
    """12-bit stored values under the identity window, to 1/65535."""
    return np.rint(values.astype(np.float64) * 65535 / 4095) / 65535


def test_every_pixel_of_every_syntax_arrives(records: list[ImageRecord], noise: Callable) -> None:
    with Loader(records, WHOLE) as loader:
        batches = list(loader.run(sequential_blocks(len(records), 4)))
    assert [batch.valid.tolist() for batch in batches] == [[True] * 4, [True] * 3 + [False]]
    images = np.concatenate([batch.images.numpy() for batch in batches])
    assert images.shape == (8, 1, 32, 24)
    assert images.dtype == np.float32
    for k in range(len(records)):
        expected = displayed(noise(12, (32, 24), seed=k))
        assert np.abs(images[k, 0] - expected).max() < 1e-6
    assert (images[7] == 0).all()
    assert batches[1].indices.tolist() == [4, 5, 6, EMPTY]
    assert batches[1].image_ids == (*(record.image_id for record in records[4:]), "")


def test_boxes_are_of_the_whole_file_where_an_edge_is_cut(
    records: list[ImageRecord], noise: Callable
) -> None:
    recipe = replace(
        WHOLE, decode=DecodeSettings(cut=3), resize=replace(WHOLE.resize, size=(26, 18))
    )
    with Loader(records, recipe) as loader:
        (batch,) = loader.run(sequential_blocks(len(records), 7))
    assert {(box.top, box.bottom, box.left, box.right) for box in batch.rois if box} == {
        (3, 29, 3, 21)
    }
    for k in range(len(records)):
        expected = displayed(noise(12, (32, 24), seed=k)[3:29, 3:21])
        assert np.abs(batch.images[k, 0].numpy() - expected).max() < 1e-6


def test_bad_files_cost_their_own_slot_and_are_named(
    records: list[ImageRecord], noise: Callable
) -> None:
    gone, cut, changed = (Path(records[k].location.path) for k in (0, 1, 2))
    gone.unlink()
    with cut.open("r+b") as file:  # same size and time: only the codestream's end is lost
        file.seek(cut.stat().st_size // 2)
        file.write(bytes(cut.stat().st_size - cut.stat().st_size // 2))
    import os

    os.utime(cut, ns=(records[1].location.mtime_ns, records[1].location.mtime_ns))
    changed.write_bytes(changed.read_bytes() + b"\0\0")
    with Loader(records, WHOLE) as loader:
        (batch,) = loader.run(sequential_blocks(len(records), 7))
        rejects = {reject.path: reject for reject in loader.rejects}
    assert batch.valid.tolist() == [False] * 3 + [True] * 4
    assert (batch.images[:3] == 0).all()
    assert np.abs(batch.images[3, 0].numpy() - displayed(noise(12, (32, 24), seed=3))).max() < 1e-6
    assert set(rejects) == {str(gone), str(cut), str(changed)}
    assert rejects[str(gone)].reason is Reason.IO
    assert rejects[str(cut)].reason in {Reason.TRUNCATED, Reason.CORRUPT}
    assert rejects[str(changed)].reason is Reason.CHANGED
    assert all(reject.image_id for reject in rejects.values())


def test_any_exception_in_one_file_costs_that_file_and_keeps_its_text_to_itself(
    records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shading(record, recipe):
        if record is records[2]:
            raise ZeroDivisionError("Jane Doe")
        return image_shading(record, recipe)

    monkeypatch.setattr("dali_pipelines.cpu.batches.image_shading", shading)
    with Loader(records, WHOLE) as loader:
        (batch,) = loader.run(sequential_blocks(len(records), 7))
        (reject,) = loader.rejects
    assert batch.valid.tolist() == [True, True, False, True, True, True, True]
    assert reject.reason is Reason.UNEXPECTED
    assert reject.detail == "ZeroDivisionError"


def test_the_order_is_that_of_the_blocks_whatever_the_threads(records: list[ImageRecord]) -> None:
    blocks = np.array([[6, 0], [3, EMPTY], [1, 1]])
    runs = []
    for settings in (LoaderSettings(readers=1, threads=1, prefetch=1), LoaderSettings(readers=4)):
        with Loader(records, RECIPE, settings) as loader:
            runs.append([batch.images.numpy() for batch in loader.run(blocks)])
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True))
    assert np.array_equal(runs[0][2][0], runs[0][2][1])


def test_a_run_may_be_left_early_and_another_begun(records: list[ImageRecord]) -> None:
    before = threading.active_count()
    with Loader(records, RECIPE) as loader:
        run = loader.run(sequential_blocks(len(records), 1))
        next(run)
        run.close()
        assert len(list(loader.run(sequential_blocks(len(records), 4)))) == 2
        assert sum(loader.counts.values()) >= len(records) + 1
    assert threading.active_count() == before


def test_a_device_without_steps_is_a_device_error(records: list[ImageRecord]) -> None:
    with pytest.raises(DeviceError, match="torch finds no GPU; use --device cpu"):
        Loader(records, RECIPE, device="gpu")


def test_the_device_that_was_taken_is_said(
    records: list[ImageRecord], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "mammo.loader"), Loader(records, RECIPE) as loader:
        assert loader.device == "cpu"
    assert caplog.messages == ["images are prepared on the cpu: torch finds no GPU"]


@pytest.mark.parametrize("wrong", [{"readers": 0}, {"threads": -1}, {"prefetch": 0}])
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="of at least 1"):
        LoaderSettings(**wrong)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e9, float("nan")])
def test_a_time_limit_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="wanted timeout_s above 0"):
        LoaderSettings(timeout_s=seconds)


def test_threads_are_shared_among_the_ranks_of_a_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert LoaderSettings().resolved_threads() == 2
    assert LoaderSettings(threads=5).resolved_threads() == 5


def test_blocks_that_are_decoded_together_give_the_same_batches(records: list[ImageRecord]) -> None:
    blocks = sequential_blocks(len(records), 2)
    runs = []
    for together in (0, 4, 100):
        with Loader(records, RECIPE, LoaderSettings(batch=together)) as loader:
            runs.append([batch.images.numpy() for batch in loader.run(blocks)])
    assert [len(run) for run in runs] == [4, 4, 4]
    for run in runs[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(runs[0], run, strict=True))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_images_come_in_the_type_of_the_recipe(records: list[ImageRecord], dtype: str) -> None:
    import dataclasses

    import torch

    small = dataclasses.replace(WHOLE, resize=dataclasses.replace(WHOLE.resize, dtype=dtype))
    batches = []
    for recipe in (WHOLE, small):
        with Loader(records, recipe) as loader:
            batches += loader.run(sequential_blocks(len(records), 7))
    assert batches[1].images.dtype == getattr(torch, dtype)
    assert torch.equal(batches[1].images, batches[0].images.to(getattr(torch, dtype)))


def test_noise_in_a_valid_stream_is_found_by_its_hash(records: list[ImageRecord]) -> None:
    import os

    raw = records[SYNTAXES.index("raw")]
    path, ((start, _),) = Path(raw.location.path), raw.location.fragments
    content = bytearray(path.read_bytes())
    content[start + 10] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(raw.location.mtime_ns, raw.location.mtime_ns))
    found = []
    for verify in (False, True):
        with Loader([raw], WHOLE, LoaderSettings(verify=verify)) as loader:
            list(loader.run(sequential_blocks(1, 1)))
            found.append([reject.reason for reject in loader.rejects])
    assert found == [[], [Reason.CHANGED]]


def test_closing_the_loader_ends_an_open_run(records: list[ImageRecord]) -> None:
    before = threading.active_count()
    loader = Loader(records, RECIPE)
    run = loader.run(sequential_blocks(len(records), 1))
    next(run)
    loader.close()
    assert list(run) == []
    assert threading.active_count() == before
