"""Who may be in a folder together: processes of one plan, and nobody with another."""

import errno
import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from dali_pipelines.atomic import claim
from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards import workplace
from dali_pipelines.shards.plan import plan_shards
from dali_pipelines.shards.preprocess import preprocess
from dali_pipelines.shards.settings import ShardSettings
from dali_pipelines.shards.workplace import at_work

Files = Callable[[Path], dict[str, bytes]]


def test_those_of_one_plan_are_in_it_together_and_another_plan_is_kept_out(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workplace, "_PATIENCE_S", 0.01)
    out = tmp_path / "out"
    one = plan_shards(records, recipe, settings, out)
    other = plan_shards(records[:4], recipe, settings, out)
    with at_work(one), at_work(one):
        spec = (out / "spec.json").read_text()
        with pytest.raises(ConfigError, match="another run is writing to"), at_work(other):
            pass
        assert (out / "spec.json").read_text() == spec
    with at_work(other):
        assert (out / "spec.json").read_text() != spec
        with pytest.raises(ConfigError, match="another run is writing to"), at_work(one):
            pass


def test_a_shard_in_the_hands_of_another_is_left_to_it(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    plan = plan_shards(records, recipe, settings, out)
    with at_work(plan), claim(out / "shard-00001") as is_ours:
        assert is_ours
        told = list[int]()
        result = preprocess(records, recipe, out, settings, progress=told.append)
        assert sum(told) == 3  # without what is left to the other
        assert (result.images, result.shards) == (3, 2)  # of shard-00000 and shard-00002
        assert (result.written, result.missing) == (2, 1)
        assert not (out / "index.parquet").exists()
    assert preprocess(records, recipe, out, settings).written == 1  # the other was killed
    preprocess(records, recipe, tmp_path / "undisturbed", settings)
    assert files_in(out) == files_in(tmp_path / "undisturbed")


def test_an_index_never_tells_of_another_state_than_the_shards(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run that makes a shard again, and is killed before it can write the new index."""
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    (out / "shard-00001/images.safetensors").unlink()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dali_pipelines.shards.preprocess.write_summary", killed)
        with pytest.raises(KeyboardInterrupt):
            preprocess(records, recipe, out, settings)
    assert (out / "shard-00001").exists()
    assert not (out / "index.parquet").exists()


def test_where_there_are_no_locks_work_goes_on(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    assert preprocess(records, recipe, tmp_path / "out", settings).written == 3
    assert not list((tmp_path / "out").glob(".*"))
