"""What each check notices, and what it is blind to."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.errors import GateError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards import make
from dali_pipelines.shards.preprocess import Task, preprocess
from dali_pipelines.shards.settings import ShardSettings

ALL, CANARY = Task(verify="all"), Task(verify="canary")
Files = Callable[[Path], dict[str, bytes]]


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("format_", ["shards", "png16", "webdataset"])
def test_sound_shards_pass_both(
    format_: str, records: list[ImageRecord], recipe: Recipe, tmp_path: Path
) -> None:
    Path(records[1].location.path).unlink()
    settings = ShardSettings(format_, images=2)
    for task in (ALL, CANARY):
        for _ in range(2):
            assert preprocess(records, recipe, tmp_path / task.verify, settings, task).verified == 4


def test_a_flipped_bit_in_a_finished_shard_is_noticed_and_mended(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    whole = files_in(out)
    flip_a_bit(out / "shard-00001/images.safetensors")
    assert preprocess(records, recipe, out, settings).written == 0
    assert preprocess(records, recipe, out, settings, ALL).written == 1
    assert files_in(out) == whole


@pytest.mark.parametrize("task", [ALL, CANARY], ids=["all", "canary"])
def test_what_the_disk_changes_never_becomes_a_shard(
    task: Task,
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = make.sync_all

    def corrupting(folder: Path) -> None:
        flip_a_bit(folder / "images.safetensors")
        real(folder)

    monkeypatch.setattr(make, "sync_all", corrupting)
    with pytest.raises(GateError, match=r"read back other|is not what its shard holds"):
        preprocess(records, recipe, tmp_path / "out", settings, task)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["spec.json"]


def test_only_the_canary_notices_a_preparation_that_gives_something_else(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A row that tells of another image than its own, which reading back cannot see."""
    real = make.as_stored

    def swapped(images: object, dtype: str) -> np.ndarray:
        return real(images, dtype)[::-1]

    monkeypatch.setattr(make, "as_stored", swapped)
    assert preprocess(records, recipe, tmp_path / "all", settings, ALL).verified == 5
    with pytest.raises(GateError, match=r"image [0-9a-f]{32} prepared once more is not what"):
        preprocess(records, recipe, tmp_path / "canary", settings, CANARY)
