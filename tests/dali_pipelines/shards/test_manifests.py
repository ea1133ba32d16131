"""One folder, another manifest: what changed is made again, what did not stays, aliens stay out."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.plan import Share, plan_shards, shard_name, shard_number
from dali_pipelines.shards.preprocess import Task, preprocess
from dali_pipelines.shards.settings import ShardSettings

Files = Callable[[Path], dict[str, bytes]]


def relabeled(record: ImageRecord, **tags: str) -> ImageRecord:
    return replace(record, tags=replace(record.tags, **tags))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that the loader reads from now on."""
    from dali_pipelines import read_ahead

    real, paths = read_ahead.read_encoded, list[str]()

    def read(record: ImageRecord, **how: bool) -> object:
        paths.append(record.location.path)
        return real(record, **how)

    monkeypatch.setattr(read_ahead, "read_encoded", read)
    return paths


def test_a_file_that_changed_is_prepared_again_and_no_other(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    decoded: list[str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    before = files_in(out)
    grayscale = replace(records[2].grayscale, invert=not records[2].grayscale.invert)
    changed = [*records[:2], replace(records[2], grayscale=grayscale), *records[3:]]
    decoded.clear()
    assert preprocess(changed, recipe, out, settings).written == 1
    assert decoded == [records[2].location.path]
    differing = {path for path, content in files_in(out).items() if before[path] != content}
    shard = {f"shard-00001/{name}" for name in ("images.safetensors", "rows.parquet")}
    assert differing == {*shard, "index.parquet", "spec.json"}
    preprocess(changed, recipe, tmp_path / "undisturbed", settings)
    assert files_in(out) == files_in(tmp_path / "undisturbed")


def test_a_new_label_of_a_picture_costs_no_decoding(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    decoded: list[str],
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    changed = [relabeled(records[0], view="MLO", laterality="R"), *records[1:]]
    decoded.clear()
    assert preprocess(changed, recipe, out, settings).written == 1
    assert decoded == []
    preprocess(changed, recipe, tmp_path / "undisturbed", settings)
    assert files_in(out) == files_in(tmp_path / "undisturbed")


def test_shards_that_another_manifest_has_no_more_go(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    assert preprocess(records[:3], recipe, out, settings).written == 1
    preprocess(records[:3], recipe, tmp_path / "undisturbed", settings)
    assert files_in(out) == files_in(tmp_path / "undisturbed")
    assert preprocess(records, recipe, out, settings).written == 2


def test_what_a_killed_run_left_of_shards_past_the_end_goes_too(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    (out / "shard-00002").rename(out / ".shard-00002.1f2e3d4c.tmp")
    (out / ".shard-00002.lock").touch()
    preprocess(records[:3], recipe, out, settings)
    assert not list(out.glob(".*"))


def test_a_folder_of_mostly_other_images_is_refused_and_untouched(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    preprocess(records[:4], recipe, out, settings)
    before = files_in(out)
    with pytest.raises(ConfigError, match="only 1 of its 4 are in the manifest"):
        preprocess(records[3:], recipe, out, settings)
    assert files_in(out) == before


@pytest.mark.parametrize("what", ["recipe", "dtype", "format", "images"])
def test_images_of_another_kind_are_refused(
    what: str, records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    other = {
        "recipe": (Recipe("other"), settings),
        "dtype": (recipe, replace(settings, dtype="uint8")),
        "format": (recipe, replace(settings, format="npy")),
        "images": (recipe, replace(settings, images=3)),
    }
    with pytest.raises(ConfigError, match="choose an empty folder"):
        preprocess(records, *other[what][:1], out, other[what][1])


def test_a_recipe_of_another_name_and_the_same_pixels_goes_on(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    preprocess(records, recipe, tmp_path / "out", settings)
    again = preprocess(records, replace(recipe, name="other"), tmp_path / "out", settings)
    assert again.written == 0


def test_a_folder_of_other_things_is_refused(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no shards"):
        preprocess(records, recipe, tmp_path, settings)
    with pytest.raises(ConfigError, match="no image"):
        preprocess([], recipe, tmp_path / "out", settings)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/spec.json").write_text("{")
    with pytest.raises(ConfigError, match="cannot be read"):
        preprocess(records, recipe, tmp_path / "out", settings)


def test_a_first_run_that_was_killed_at_its_first_file_is_finished(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".spec.json.4194305.tmp").write_text("{")  # no process has this number
    assert preprocess(records, recipe, out, settings).written == 3
    assert not list(out.glob(".*"))


def test_what_a_killed_run_had_taken_away_last_comes_back(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    decoded: list[str],
    tmp_path: Path,
) -> None:
    """Between the two renames of an exchange; the source may be gone for good meanwhile."""
    out = tmp_path / "out"
    preprocess(records, recipe, out, settings)
    before = files_in(out)
    (out / "shard-00001").rename(out / ".shard-00001.old")
    decoded.clear()
    assert preprocess(records, recipe, out, settings).written == 0
    assert decoded == []
    assert files_in(out) == before


def test_shares_make_together_what_one_makes_alone(
    records: list[ImageRecord],
    recipe: Recipe,
    settings: ShardSettings,
    files_in: Files,
    tmp_path: Path,
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    preprocess(records, recipe, one, settings)
    first = preprocess(records, recipe, two, settings, Task(Share(1, 2)))
    assert (first.images, first.shards, first.written, first.missing) == (2, 1, 1, 2)
    assert not (two / "index.parquet").exists()
    second = preprocess(records, recipe, two, settings, Task(Share(0, 2)))
    assert (second.images, second.shards, second.written, second.missing) == (3, 2, 2, 0)
    assert files_in(two) == files_in(one)


def test_every_shard_is_in_one_share(
    records: list[ImageRecord], recipe: Recipe, tmp_path: Path
) -> None:
    plan = plan_shards(records, recipe, ShardSettings(images=1), tmp_path)
    shares = [Share(number, 3) for number in range(3)]
    assert [[shard.folder.name[-1] for shard in share.take(plan)] for share in shares] == [
        ["0", "3"], ["1", "4"], ["2"]
    ]  # fmt: skip
    assert [share.count(5, 2) for share in shares] == [2, 2, 1]
    for wrong in ((3, 3), (-1, 2), (0, 0)):
        with pytest.raises(ConfigError, match="from 0 to n - 1"):
            Share(*wrong)


def test_the_number_of_a_shard_is_read_from_its_name() -> None:
    assert [shard_number(shard_name(k)) for k in (0, 7, 123_456)] == [0, 7, 123_456]
    assert [shard_number(n) for n in ("shard-7", "shard-", "xshard-00007", "shard-0000x")] == [
        None
    ] * 4


def test_the_digest_stands_for_all_that_pixels_come_from(
    records: list[ImageRecord], recipe: Recipe, settings: ShardSettings, tmp_path: Path
) -> None:
    def content(record: ImageRecord) -> str:
        return plan_shards([record], recipe, settings, tmp_path).shards[0].images[0].content

    record = records[0]
    moved = replace(record, location=replace(record.location, path="/elsewhere", mtime_ns=1))
    assert content(moved) == content(record)
    unhashed = replace(record, sha256="")
    assert content(replace(moved, sha256="")) != content(unhashed)
    others = [
        unhashed,
        replace(record, sha256="0" * 64),
        replace(record, stream=replace(record.stream, swapped=True)),
        replace(record, grayscale=replace(record.grayscale, slope=2.0)),
        relabeled(record, high_bit=14),
        relabeled(record, manufacturer="another, whose VOI LUTs count"),
        relabeled(record, transfer_syntax_uid="1.2.840.10008.1.2.2"),  # the order of bytes
    ]
    assert len({content(other) for other in [record, *others]}) == len(others) + 1
