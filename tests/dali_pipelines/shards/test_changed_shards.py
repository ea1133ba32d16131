"""Shards that change, vanish or are damaged while they are read: a sentence, never other pixels."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from dali_pipelines.errors import DatasetError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.preprocess import preprocess
from dali_pipelines.shards.settings import ShardSettings
from dali_pipelines.shards.shard_loader import ShardLoader
from dali_pipelines.shards.shard_set import ShardSet

SMALL = LoaderSettings(threads=1, prefetch=1)


def test_a_shard_that_was_made_again_for_another_manifest_is_noticed(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    """Its rows would tell of the images of the last manifest."""
    preprocess(records, recipe, tmp_path / "out", settings)
    shards = ShardSet.open(tmp_path / "out")
    preprocess([records[1], records[0], *records[2:]], recipe, tmp_path / "out", settings)
    with (
        ShardLoader(records, shards, SMALL) as loader,
        pytest.raises(DatasetError, match="made again since, or is damaged"),
    ):
        list(loader.run(sequential_blocks(5, 2)))


def test_a_flipped_bit_is_noticed_unless_nobody_asks(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    preprocess(records, recipe, tmp_path / "out", settings)
    file = tmp_path / "out/shard-00001/images.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)
    shards = ShardSet.open(tmp_path / "out")
    with (
        ShardLoader(records, shards, SMALL) as loader,
        pytest.raises(DatasetError, match="of shard-00001 is not what"),
    ):
        list(loader.run(sequential_blocks(5, 2)))
    with ShardLoader(records, shards, replace(SMALL, verify=False)) as loader:
        assert len(list(loader.run(sequential_blocks(5, 2)))) == 3


def test_a_file_that_is_cut_short_while_it_is_read_is_a_sentence(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    """Not the SIGBUS of a map of it."""
    preprocess(records, recipe, tmp_path / "out", settings)
    shards = ShardSet.open(tmp_path / "out")
    shards.read(0)
    (tmp_path / "out/shard-00000/images.safetensors").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"of shard-00000 cannot be read \(EOFError\)"):
        shards.read(1)


def test_no_file_stays_open(records: list[ImageRecord], recipe: Recipe, tmp_path: Path) -> None:
    """Shards may be more than files may be open."""
    preprocess(records, recipe, tmp_path / "out", ShardSettings(images=1))
    shards = ShardSet.open(tmp_path / "out")
    before = sorted(Path("/proc/self/fd").iterdir())
    assert [shards.read(k).shape for k in range(5)] == [(1, 8, 6)] * 5
    assert sorted(Path("/proc/self/fd").iterdir()) == before


def test_a_consumer_that_leaves_early_leaves_no_thread(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    preprocess(records, recipe, tmp_path / "out", settings)
    with ShardLoader(records, ShardSet.open(tmp_path / "out"), SMALL) as loader:
        batches = loader.run(sequential_blocks(5, 1))
        next(batches)
    ours = ("mammo-produce", "mammo-shards")
    assert not [t.name for t in threading.enumerate() if t.name.startswith(ours)]
