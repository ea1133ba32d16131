"""What would be done is told, and nothing is."""

from dataclasses import replace
from pathlib import Path

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.estimate import estimate
from dali_pipelines.shards.plan import Share
from dali_pipelines.shards.preprocess import WHOLE, Task, preprocess
from dali_pipelines.shards.settings import ShardSettings


def test_what_is_missing_is_counted_by_syntax_and_vendor(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    makers = ["A", "B", "A", "", "A"]
    named = [
        replace(record, tags=replace(record.tags, manufacturer=maker))
        for record, maker in zip(records, makers, strict=True)
    ]
    found = estimate(named, recipe, out, settings, WHOLE)
    assert not out.exists()
    assert (found.images, found.held, found.timed) == (5, 0, 5)
    assert found.bytes == 5 * 8 * 6 * 2
    assert found.seconds > 0
    assert list(found.manufacturers.items()) == [("A", 3), ("B", 1), ("not named", 1)]
    assert found.syntaxes == {"raw 1.2.840.10008.1.2.1": 5}
    assert estimate(named, recipe, out, settings, Task(Share(1, 3))).images == 2


def test_what_is_there_is_not_counted_again(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings, Task(Share(1, 3)))
    before = sorted(path.stat().st_mtime_ns for path in out.rglob("*"))
    found = estimate(records, recipe, out, settings, WHOLE)
    assert (found.images, found.held) == (3, 2)
    assert sorted(path.stat().st_mtime_ns for path in out.rglob("*")) == before
    preprocess(records, recipe, out, settings)
    found = estimate(records, recipe, out, settings, WHOLE)
    assert (found.images, found.held, found.bytes, found.seconds, found.timed) == (0, 5, 0, 0, 0)


def test_of_a_shard_that_is_made_again_only_what_it_lacks_is_prepared(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    """But all of it is written."""
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    changed = [replace(records[0], sha256="0" * 64), *records[1:]]
    found = estimate(changed, recipe, out, settings, WHOLE)
    assert (found.images, found.held, found.bytes) == (1, 4, 2 * 8 * 6 * 2)


def test_what_the_run_would_refuse_is_refused(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records[:4], recipe, out, settings)
    with pytest.raises(ConfigError, match=r"it has recipe .*, not .*; ask for what it holds"):
        estimate(records, Recipe("other"), out, settings, WHOLE)
    with pytest.raises(ConfigError, match="only 1 of its 4 are in the manifest"):
        estimate(records[3:], recipe, out, settings, WHOLE)
    with pytest.raises(ConfigError, match="holds no shards"):
        estimate(records, recipe, tmp_path, settings, WHOLE)


@pytest.mark.parametrize("format_", ["npy", "png", "webdataset"])
def test_bytes_of_an_encoding_are_those_of_a_sample(
    format_: str, records: list[ImageRecord], recipe: Recipe, tmp_path: Path
) -> None:
    settings = ShardSettings(format_, "uint8", images=8)
    found = estimate(records, recipe, tmp_path / "none", settings, WHOLE)
    preprocess(records, recipe, tmp_path / "out", settings)
    from dali_pipelines.shards.rows import read_rows

    assert found.bytes == sum(read_rows(tmp_path / "out/shard-00000")["bytes"])
