"""Finished shards as one sequence: order, values, laziness, and what is not there."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.plan import Share
from dali_pipelines.shards.preprocess import Task, preprocess
from dali_pipelines.shards.settings import ShardSettings
from dali_pipelines.shards.shard_set import ShardSet


@pytest.mark.parametrize("format_", ["shards", "npy", "png16", "tiff", "webdataset"])
def test_images_come_in_the_order_of_the_manifest_without_those_that_failed(
    format_: str, records: list[ImageRecord], recipe: Recipe, noise: Callable, tmp_path: Path
) -> None:
    Path(records[1].location.path).unlink()
    out = tmp_path / "out"
    preprocess(records, recipe, out, ShardSettings(format_, images=2))
    found = ShardSet.open(out)
    left = [0, 2, 3, 4]
    assert len(found) == 4
    assert found.image_ids == tuple(records[k].image_id for k in left)
    assert found.rows["shard"].tolist() == ["shard-00000", *["shard-00001"] * 2, "shard-00002"]
    assert found.failed.keys() == {records[1].image_id}
    assert found.failed[records[1].image_id]["code"] == "E_IO"
    assert (found.recipe, found.dtype, found.shape) == (recipe, "uint16", (1, 8, 6))
    for index in (3, 0, 2, 1):
        image = found.read(index)
        assert image.dtype == np.uint16
        assert np.array_equal(image[0], noise(16, (8, 6), seed=left[index]))
        assert not image.flags.writeable


def test_nothing_of_an_image_is_read_before_it_is_asked_for(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    preprocess(records, recipe, tmp_path / "out", settings)
    (tmp_path / "out/shard-00001/images.safetensors").unlink()
    found = ShardSet.open(tmp_path / "out")
    found.read(0)
    with pytest.raises(DatasetError, match=r"of shard-00001 cannot be read \(FileNotFoundError\)"):
        found.read(2)


def test_shards_that_are_not_complete_are_refused(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with pytest.raises(ConfigError, match=r"no shards in .*; `mammo preprocess` makes them"):
        ShardSet.open(out)
    preprocess(records, recipe, out, settings, Task(Share(0, 2)))
    with pytest.raises(ConfigError, match="not complete; run the same"):
        ShardSet.open(out)
    preprocess(records, recipe, out, settings)
    (out / "index.parquet").write_bytes(b"PAR1")
    with pytest.raises(DatasetError, match="damaged; remove it"):
        ShardSet.open(out)
    assert preprocess(records, recipe, out, settings).written == 0
    assert len(ShardSet.open(out)) == 5


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [("format_version", 1, "version 1, wanted 2"), ("recipe_hash", "0" * 12, "prepare them again")],
)
def test_shards_of_another_version_are_refused(
    key: str,
    value: object,
    error: str,
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    spec = json.loads((out / "spec.json").read_text())
    (out / "spec.json").write_text(json.dumps({**spec, key: value}))
    with pytest.raises((ConfigError, DatasetError), match=error):
        ShardSet.open(out)
