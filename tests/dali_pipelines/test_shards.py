"""Shards: right values, whole or not at all, resumed, refused when they are of other images."""

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines import shard_file
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shard_file import read_rows
from dali_pipelines.shard_images import read_images
from dali_pipelines.shards import ShardSettings, preprocess
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason

RECIPE = Recipe(
    "whole",
    roi=RoiSettings(method="none", mirror="none"),
    resize=ResizeSettings(size=(8, 6), fit="stretch", mean=0.25, std=0.5),
)
SETTINGS = ShardSettings(images=2, batch=2)


@pytest.fixture
def records(tmp_path: Path, noise: Callable) -> list[ImageRecord]:
    """Five raw images of 8 x 6 whose display values are their stored 16 bits."""
    made = []
    folder = tmp_path / "dicom"
    folder.mkdir()
    for k in range(5):
        spec = HeaderSpec(precision=16, sop_uid=make_uid(f"image {k}"))
        write_dicom(folder / f"{k}.dcm", noise(16, (8, 6), seed=k), spec)
        made.append(read_image(Source(str(folder / f"{k}.dcm")), b"k" * 32, ReadOptions()))
    return made


@pytest.mark.parametrize("format_", ["safetensors", "npy"])
def test_integers_hold_the_display_values(
    format_: str, records: list[ImageRecord], noise: Callable, tmp_path: Path
) -> None:
    settings = ShardSettings(format=format_, dtype="uint16", images=2, batch=2)
    result = preprocess(records, RECIPE, tmp_path / "out", settings)
    assert (result.images, result.rejects, result.shards, result.written) == (5, (), 3, 3)
    images = np.concatenate([read_images(tmp_path / f"out/shard-{k:05d}") for k in range(3)])
    expected = np.stack([noise(16, (8, 6), seed=k) for k in range(5)])[:, None]
    assert images.dtype == np.uint16
    assert np.array_equal(images, expected)


def test_floats_are_normalized_as_the_network_gets_them(
    records: list[ImageRecord], noise: Callable, tmp_path: Path
) -> None:
    preprocess(records, RECIPE, tmp_path / "out", ShardSettings(dtype="float32", images=8))
    images = read_images(tmp_path / "out/shard-00000")
    expected = (noise(16, (8, 6), seed=3) / 65535 - 0.25) / 0.5
    assert np.abs(images[3, 0] - expected).max() < 1e-6


def test_running_again_makes_only_what_is_missing_and_the_same_bytes(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records, RECIPE, out, SETTINGS)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for path in (out / "shard-00001").iterdir():
        path.unlink()
    (out / "shard-00001").rmdir()
    (out / ".shard-00001.123.tmp").mkdir()  # what a killed run leaves
    assert preprocess(records, RECIPE, out, SETTINGS).written == 1
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert preprocess(records, RECIPE, out, SETTINGS).written == 0


def test_a_failure_in_a_shard_leaves_the_finished_ones_and_no_half(
    records: list[ImageRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    real, calls = shard_file.save_images, []

    def disk_full(images, folder, *kind):
        calls.append(folder)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(images, folder, *kind)

    with monkeypatch.context() as patch:
        patch.setattr(shard_file, "save_images", disk_full)
        with pytest.raises(OSError, match="No space left"):
            preprocess(records, RECIPE, out, SETTINGS)
    assert [path.name for path in sorted(out.glob("shard-*"))] == ["shard-00000"]
    assert preprocess(records, RECIPE, out, SETTINGS).written == 2
    assert not list(out.glob(".*"))


def test_a_bad_file_is_a_row_without_an_image(records: list[ImageRecord], tmp_path: Path) -> None:
    out = tmp_path / "out"
    Path(records[1].location.path).unlink()
    result = preprocess(records, RECIPE, out, SETTINGS)
    assert result.images == 4
    assert [reject.image_id for reject in result.rejects] == [records[1].image_id]
    rows = read_rows(out / "shard-00000")
    assert rows["row"].tolist() == [0, -1]
    assert rows["code"].tolist() == ["", "E_IO"]
    assert read_images(out / "shard-00000").shape == (1, 1, 8, 6)
    assert stat.S_IMODE((out / "rejects.csv").stat().st_mode) == 0o600
    again = preprocess(records, RECIPE, out, SETTINGS)
    assert (again.written, again.rejects) == (1, result.rejects)  # the file may be back


def test_a_file_that_is_back_is_prepared_by_the_next_run(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    out, file = tmp_path / "out", Path(records[1].location.path)
    hidden = file.rename(tmp_path / "hidden")
    assert len(preprocess(records, RECIPE, out, SETTINGS).rejects) == 1
    hidden.rename(file)
    again = preprocess(records, RECIPE, out, SETTINGS)
    assert (again.images, again.rejects, again.written) == (5, (), 1)


def test_a_file_that_is_bad_for_good_is_not_tried_again(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    bad = replace(records[1], stream=replace(records[1].stream, height=9))  # never what it holds
    changed = [records[0], bad, *records[2:]]
    out = tmp_path / "out"
    first = preprocess(changed, RECIPE, out, SETTINGS)
    assert [r.reason for r in first.rejects] == [Reason.GEOMETRY]
    assert not Reason.GEOMETRY.may_pass
    assert preprocess(changed, RECIPE, out, SETTINGS).written == 0
    again = preprocess(changed, RECIPE, out, SETTINGS, retry_failed=True)
    assert (again.written, again.rejects) == (1, first.rejects)
    assert (again.images, again.counts.inputs, again.counts.failed) == (4, 5, 1)


def test_a_shard_without_its_images_is_made_again(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records, RECIPE, out, SETTINGS)
    (out / "shard-00001/images.safetensors").unlink()
    assert preprocess(records, RECIPE, out, SETTINGS).written == 1
    assert len(read_images(out / "shard-00001")) == 2


def test_other_pixels_under_the_same_ids_are_refused(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records, RECIPE, out, SETTINGS)
    with pytest.raises(ConfigError, match="images_sha256 differ"):
        preprocess([replace(r, sha256="0" * 64) for r in records], RECIPE, out, SETTINGS)
    (out / "spec.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        preprocess(records, RECIPE, out, SETTINGS)


def test_a_shard_of_nothing_but_bad_files_is_an_empty_shard(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    for record in records[:2]:
        Path(record.location.path).unlink()
    preprocess(records, RECIPE, tmp_path / "out", SETTINGS)
    assert read_images(tmp_path / "out/shard-00000").shape == (0, 1, 8, 6)


def test_outputs_name_images_by_id_alone(records: list[ImageRecord], tmp_path: Path) -> None:
    out = tmp_path / "out"
    preprocess(records, RECIPE, out, SETTINGS)
    index = pd.read_parquet(out / "index.parquet")
    assert index["image_id"].tolist() == [record.image_id for record in records]
    assert set(index["recipe_hash"]) == {RECIPE.hash}
    secrets = [records[0].tags.sop_instance_uid, records[0].tags.patient_id, str(tmp_path)]
    for path in out.rglob("*"):
        if path.is_file() and path.name != "rejects.csv":
            content = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in content], path


@pytest.mark.parametrize("what", ["recipe", "images", "dtype"])
def test_other_images_are_refused(what: str, records: list[ImageRecord], tmp_path: Path) -> None:
    out = tmp_path / "out"
    preprocess(records, RECIPE, out, SETTINGS)
    other = {
        "recipe": (records, Recipe("other"), SETTINGS),
        "images": (records[:-1], RECIPE, SETTINGS),
        "dtype": (records, RECIPE, ShardSettings(dtype="uint8", images=2)),
    }
    with pytest.raises(ConfigError, match="choose an empty folder"):
        preprocess(*other[what][:2], out, other[what][2])


def test_a_folder_of_other_things_is_refused(records: list[ImageRecord], tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no shards"):
        preprocess(records, RECIPE, tmp_path, SETTINGS)
    with pytest.raises(ConfigError, match="no image"):
        preprocess([], RECIPE, tmp_path / "out", SETTINGS)


def test_what_a_shard_holds_is_kept_when_it_is_made_again(
    records: list[ImageRecord], tmp_path: Path
) -> None:
    out, files = tmp_path / "out", [Path(record.location.path) for record in records]
    hidden = files[1].rename(tmp_path / "hidden")
    settings = ShardSettings(images=5, batch=2)
    assert preprocess(records, RECIPE, out, settings).images == 4
    gone = [file.rename(tmp_path / file.name) for file in files if file != files[1]]
    again = preprocess(records, RECIPE, out, settings)  # the share is not mounted
    assert (again.images, [r.reason for r in again.rejects]) == (4, [Reason.IO])
    hidden.rename(files[1])
    assert preprocess(records, RECIPE, out, settings).images == 5
    for file in gone:
        file.rename(files[0].parent / file.name)
    preprocess(records, RECIPE, tmp_path / "undisturbed", settings)
    for name in ("images.safetensors", "rows.parquet"):
        part = f"shard-00000/{name}"
        assert (out / part).read_bytes() == (tmp_path / "undisturbed" / part).read_bytes()


@pytest.mark.parametrize("damaged", ["images.safetensors", "images.npy", "rows.parquet"])
@pytest.mark.parametrize("left", [0, 20])
def test_a_damaged_shard_is_made_again(
    damaged: str, left: int, records: list[ImageRecord], tmp_path: Path
) -> None:
    out, settings = tmp_path / "out", ShardSettings(images=5, batch=2)
    if damaged.endswith("npy"):
        settings = replace(settings, format="npy")
    preprocess(records, RECIPE, out, settings)
    file = out / "shard-00000" / damaged
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    assert preprocess(records, RECIPE, out, settings).written == 1
    assert file.read_bytes() == whole
