"""Frames of multi-frame objects through the loader: every pixel arrives, a maximum by the CPU."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pydicom
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.reduced_decode import decode_reduced
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.gpu.canary import Canary
from dali_pipelines.gpu.intake import Intake
from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Encoded
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError
from tests.frame_stack import dicom_of, stack

SHAPE = (32, 24)
WHOLE = Recipe(
    "whole",
    roi=RoiSettings(method="none", mirror="none"),
    resize=ResizeSettings(size=SHAPE, fit="stretch", mean=0.0, std=1.0),
)
SYNTAXES = ("raw", "rle", "j2k", "htj2k", "jpegls", "jpeg_sv1")
REAL = (
    "mammograms/jpeg2k_3d.dcm",
    "conformance/jpeg_lossless_sel1to7/jpeg_lossless_sel1-8bit.dcm",
    "conformance/weasis/jpeg2000-multiframe-multifragments.dcm",
)


def read(path: Path, frames: Any) -> tuple[ImageRecord, ...]:
    options = ReadOptions(frames=frames, any_modality=True)
    return read_images(Source(str(path)), bytes(32), options)


@pytest.fixture
def stacked(tmp_path: Path) -> Callable[[str, Any], tuple[ImageRecord, ...]]:
    """stacked(syntax, frames) -> the records of a file of three frames; identity window."""

    def make(syntax: str, frames: Any) -> tuple[ImageRecord, ...]:
        path = tmp_path / syntax
        if not path.exists():
            dicom_of(stack(3, 12, SHAPE), syntax).write(path)
        return read(path, frames)

    return make


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_every_pixel_of_every_frame_arrives(
    stacked: Callable, isolation: Literal["thread", "process"]
) -> None:
    records, expected = [], []
    values = stack(3, 12, SHAPE)
    for syntax in SYNTAXES:
        records += [*stacked(syntax, "mip"), *stacked(syntax, "all")]
        expected += [values.max(axis=0), *values]
    settings = LoaderSettings(threads=2, isolation=isolation)
    with Loader(records, WHOLE, settings, device="cpu") as loader:
        batches = list(loader.run(sequential_blocks(len(records), 8)))
        assert loader.rejects == []
        counts = loader.counts
    images = np.concatenate([batch.images.numpy() for batch in batches])
    for image, stored in zip(images, expected, strict=False):
        assert np.abs(image[0] * 4095 - stored).max() < 0.1
    assert counts["imagecodecs j2k"] == (
        1 if isolation == "thread" else 4
    )  # DALI takes single ones


@pytest.mark.parametrize("name", REAL)
def test_the_maximum_of_real_frames_in_a_child_is_that_of_pydicom(
    shared_data: Path, name: str
) -> None:
    (record,) = read(shared_data / name, "mip")
    decoder = IsolatedDecoder()
    try:
        found = decoder.decode(read_encoded(record), WHOLE)
    finally:
        decoder.close()
    wanted = pydicom.dcmread(shared_data / name).pixel_array.max(axis=0)
    assert np.array_equal(found.values, wanted)


def test_levels_are_left_out_of_frames_and_not_of_their_maximum(stacked: Callable) -> None:
    recipe = replace(WHOLE, decode=DecodeSettings(reduce=1))
    (one, *_), (most,) = stacked("j2k", "all"), stacked("j2k", "mip")
    assert decode_reduced(read_encoded(one), recipe).reduce == 1
    whole = decode_reduced(read_encoded(most), recipe)
    assert whole.reduce == 0
    assert np.array_equal(whole.values, decode(read_encoded(most)).values)


@pytest.mark.parametrize("syntax", ["j2k", "htj2k", "jpeg_sv1"])
def test_the_gpu_is_given_single_frames_only(stacked: Callable, syntax: str) -> None:
    items = [read_encoded(record) for f in ("mip", "first") for record in stacked(syntax, f)]
    assert [item.frames for item in items] == [3, 1]
    with ThreadPoolExecutor(1) as pool:
        intake = Intake(DecodeSettings(), Canary(Counter()), pool, lambda: True)
        (share,) = intake.take(items)
    assert [frame.place for frame in share] == [1]


def test_one_frame_at_a_time_is_decoded(stacked: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    import dali_pipelines.cpu.decode as module

    (record,) = stacked("jpegls", "mip")
    given = []

    def watched(encoded: Encoded) -> Any:
        given.append(len(encoded.data))
        return single(encoded)

    single = module._decode
    monkeypatch.setattr(module, "_decode", watched)
    encoded = read_encoded(record)
    decode(encoded)
    assert tuple(given) == encoded.sizes
    assert sum(given) == len(encoded.data)


def test_a_damaged_frame_costs_its_maximum(stacked: Callable) -> None:
    encoded = read_encoded(stacked("jpeg_sv1", "mip")[0])
    data = encoded.data.copy()
    data[-60:-20] = 0x55
    with pytest.raises(RejectError) as caught:
        decode(replace(encoded, data=data))
    assert caught.value.reason in (Reason.TRUNCATED, Reason.CORRUPT)


def test_a_maximum_may_take_as_long_as_its_frames(
    stacked: Callable, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """1.2 seconds are too long for a frame that may take 0.8, and not for three of them."""
    (tmp_path / "slow_decoder.py").write_text(
        "import time\nfrom dali_pipelines.cpu.decode import decode\n"
        "def slow(encoded, recipe):\n    time.sleep(1.2)\n    return decode(encoded)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    decoder = IsolatedDecoder("slow_decoder:slow", timeout_s=0.8)
    try:
        (record,) = stacked("rle", "mip")
        assert decoder.decode(read_encoded(record), WHOLE).values.shape == SHAPE
    finally:
        decoder.close()
