"""Shards: right values, whole or not at all, resumed, brought up to date, refused where alien."""

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards import make
from dali_pipelines.shards.plan import Share
from dali_pipelines.shards.preprocess import Task, preprocess
from dali_pipelines.shards.rows import read_rows
from dali_pipelines.shards.settings import ShardSettings
from dali_pipelines.verdicts import Reason

RETRY = Task(retry_failed=True)
Files = Callable[[Path], dict[str, bytes]]


def test_integers_hold_the_display_values(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    noise: Callable,
    images_in: Callable,
    tmp_path: Path,
) -> None:
    result = preprocess(records, recipe, tmp_path / "out", settings)
    assert (result.images, result.rejects, result.shards, result.written) == (5, (), 3, 3)
    assert (result.missing, result.verified) == (0, 0)
    folders = [tmp_path / f"out/shard-{k:05d}" for k in range(3)]
    images = np.concatenate([images_in(folder, settings) for folder in folders])
    expected = np.stack([noise(16, (8, 6), seed=k) for k in range(5)])[:, None]
    assert images.dtype == np.uint16
    assert np.array_equal(images, expected)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_floats_are_normalized_as_the_network_gets_them(
    dtype: str,
    records: list[ImageRecord],
    recipe: Recipe,
    noise: Callable,
    images_in: Callable,
    tmp_path: Path,
) -> None:
    settings = ShardSettings(dtype=dtype, images=8)
    of_three = replace(recipe, resize=replace(recipe.resize, channels=3))
    preprocess(records, recipe, tmp_path / "out", settings)
    (image,) = images_in(tmp_path / "out/shard-00000", settings)[3]
    expected = (noise(16, (8, 6), seed=3) / 65535 - 0.25) / 0.5
    assert image.dtype == dtype
    assert np.abs(image - expected).max() < {"float32": 1e-6, "float16": 1e-3}[dtype]
    preprocess(records, of_three, tmp_path / "three", settings)
    rows = read_rows(tmp_path / "three/shard-00000")
    assert rows["bytes"][0] == 3 * 8 * 6 * np.dtype(dtype).itemsize


def test_integers_of_three_equal_channels_are_kept_once(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    of_three = replace(recipe, resize=replace(recipe.resize, channels=3, mean=(0.1, 0.2, 0.3)))
    preprocess(records, of_three, tmp_path / "out", settings)
    assert read_rows(tmp_path / "out/shard-00000")["bytes"] == [8 * 6 * 2] * 2


def test_running_again_makes_only_what_is_missing_and_the_same_bytes(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    before = files_in(out)
    (out / "shard-00001").rename(out / ".shard-00001.1f2e3d4c.tmp")  # what a killed run leaves
    (out / ".shard-00002.lock").touch()
    assert preprocess(records, recipe, out, settings).written == 1
    assert files_in(out) == before
    assert preprocess(records, recipe, out, settings).written == 0
    assert files_in(out) == before


def test_progress_counts_every_image_once(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out, told = tmp_path / "out", list[int]()
    first = Task(Share(1, 3))
    preprocess(records, recipe, out, settings, first, progress=told.append)
    assert told == [0, 1, 1]
    told.clear()
    preprocess(records, recipe, out, settings, progress=told.append)
    assert told == [2, 1, 1, 1]


def test_a_failure_in_a_shard_leaves_the_finished_ones_and_no_half(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    real, calls = make.write_rows, []

    def disk_full(rows: object, folder: Path) -> None:
        calls.append(folder)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        real(rows, folder)

    with monkeypatch.context() as patch:
        patch.setattr(make, "write_rows", disk_full)
        with pytest.raises(OSError, match="No space left"):
            preprocess(records, recipe, out, settings)
    assert sorted(path.name for path in out.iterdir()) == ["shard-00000", "spec.json"]
    assert preprocess(records, recipe, out, settings).written == 2
    assert not list(out.glob(".*"))


def test_a_bad_file_is_a_row_without_an_image(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    images_in: Callable,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    Path(records[1].location.path).unlink()
    result = preprocess(records, recipe, out, settings)
    assert result.images == 4
    assert [reject.image_id for reject in result.rejects] == [records[1].image_id]
    rows = read_rows(out / "shard-00000")
    assert rows["row"] == [0, -1]
    assert rows["code"] == ["", "E_IO"]
    assert images_in(out / "shard-00000", settings).shape == (1, 1, 8, 6)
    assert stat.S_IMODE((out / "rejects.csv").stat().st_mode) == 0o600
    again = preprocess(records, recipe, out, settings)
    assert (again.written, again.rejects) == (1, result.rejects)  # the file may be back


def test_a_file_that_is_back_is_prepared_by_the_next_run(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out, file = tmp_path / "out", Path(records[1].location.path)
    hidden = file.rename(tmp_path / "hidden")
    assert len(preprocess(records, recipe, out, settings).rejects) == 1
    hidden.rename(file)
    again = preprocess(records, recipe, out, settings)
    assert (again.images, again.rejects, again.written) == (5, (), 1)


def test_a_file_that_is_bad_for_good_is_not_tried_again(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    bad = replace(records[1], stream=replace(records[1].stream, height=9))  # never what it holds
    changed = [records[0], bad, *records[2:]]
    out = tmp_path / "out"
    first = preprocess(changed, recipe, out, settings)
    assert [r.reason for r in first.rejects] == [Reason.GEOMETRY]
    assert not Reason.GEOMETRY.may_pass
    assert preprocess(changed, recipe, out, settings).written == 0
    again = preprocess(changed, recipe, out, settings, RETRY)
    assert (again.written, again.rejects) == (1, first.rejects)
    assert (again.images, again.counts.inputs, again.counts.failed) == (4, 5, 1)


def test_a_shard_of_nothing_but_bad_files_is_an_empty_shard(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    images_in: Callable,
    tmp_path: Path,
) -> None:
    for record in records[:2]:
        Path(record.location.path).unlink()
    preprocess(records, recipe, tmp_path / "out", settings)
    assert images_in(tmp_path / "out/shard-00000", settings).shape == (0, 1, 8, 6)


def test_outputs_name_images_by_id_alone(
    records: list[ImageRecord], recipe: Recipe, files_in: Files, tmp_path: Path
) -> None:
    for format_ in ("shards", "npy", "webdataset"):
        out = tmp_path / format_
        preprocess(records, recipe, out, ShardSettings(format_, images=2))
        index = pd.read_parquet(out / "index.parquet")
        assert index["image_id"].tolist() == [record.image_id for record in records]
        assert set(index["recipe_hash"]) == {recipe.hash}
        secrets = [records[0].tags.sop_instance_uid, records[0].tags.patient_id, str(tmp_path)]
        for path, content in files_in(out).items():
            if path != "rejects.csv":
                assert not [secret for secret in secrets if secret.encode() in content], path


def test_what_a_shard_holds_is_kept_when_it_is_made_again(
    records: list[ImageRecord], recipe: Recipe, files_in: Files, tmp_path: Path
) -> None:
    out, files = tmp_path / "out", [Path(record.location.path) for record in records]
    hidden = files[1].rename(tmp_path / "hidden")
    settings = ShardSettings(images=5, batch=2)
    assert preprocess(records, recipe, out, settings).images == 4
    gone = [file.rename(tmp_path / file.name) for file in files if file != files[1]]
    again = preprocess(records, recipe, out, settings)  # the share is not mounted
    assert (again.images, [r.reason for r in again.rejects]) == (4, [Reason.IO])
    hidden.rename(files[1])
    assert preprocess(records, recipe, out, settings).images == 5
    for file in gone:
        file.rename(files[0].parent / file.name)
    preprocess(records, recipe, tmp_path / "undisturbed", settings)
    assert files_in(out) == files_in(tmp_path / "undisturbed")


@pytest.mark.parametrize("format_", ["shards", "npy", "webdataset"])
@pytest.mark.parametrize("left", [None, 20])
def test_a_damaged_shard_is_made_again(
    format_: str,
    left: int | None,
    records: list[ImageRecord],
    recipe: Recipe,
    files_in: Files,
    tmp_path: Path,
) -> None:
    out, settings = tmp_path / "out", ShardSettings(format_, images=2, batch=2)
    preprocess(records[:2], recipe, out, settings)
    whole = files_in(out)
    for file in list((out / "shard-00000").iterdir()):
        content = file.read_bytes()
        file.unlink() if left is None else file.write_bytes(content[:left])
        assert preprocess(records[:2], recipe, out, settings).written == 1
        assert files_in(out) == whole
