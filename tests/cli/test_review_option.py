"""--review: the same table on the way to shards, checkpoints and scores; any other is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

import cli.predict
import cli.preprocess
import cli.preview
import cli.train
import dali_pipelines.decoder
import dali_pipelines.inspection.previewer
from cli.preview import command as preview
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.review import read_review, reviewed_recipe
from dali_pipelines.shards.shard_set import ShardSet
from tests.pool_without_children import PoolWithoutChildren
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.build import build_model
from trainer.scores.reading import read_predictions

SMALL = ("--recipe", "demo", "--set", "resize.size=[32, 24]")
ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}


def call(command: object, *args: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, args)], standalone_mode=False)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (dali_pipelines.decoder, dali_pipelines.inspection.previewer):
        monkeypatch.setattr(module, "DecodePool", PoolWithoutChildren)


@pytest.fixture(scope="module")
def manifest(phantom_manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four images, of which two are of fold 0."""
    path = tmp_path_factory.mktemp("review") / "m.parquet"
    rows = read_manifest(phantom_manifest)[:4]
    write_manifest(rows.assign(fold=[0, 1, 0, 1]), path)
    shutil.copy(phantom_manifest.with_suffix(".key"), path.with_suffix(".key"))
    return path


@pytest.fixture
def boxes(manifest: Path, tmp_path: Path) -> Path:
    """A box by hand for the third image of the manifest."""
    image_id = read_manifest(manifest)["image_id"][2]
    path = tmp_path / "boxes.csv"
    path.write_text(f"image_id,top,bottom,left,right,mirror\n{image_id},8,72,4,52,1\n")
    return path


def preprocess(manifest: Path, out: Path, *options: str | Path) -> Result:
    on_cpu = ("--device", "cpu", "-j", "1")
    return call(cli.preprocess.command, manifest, out, *SMALL, *on_cpu, *options)


def test_shards_hold_the_box_and_know_the_table(
    manifest: Path, tmp_path: Path, boxes: Path
) -> None:
    for out, options in (("plain", ()), ("reviewed", ("--review", boxes))):
        assert preprocess(manifest, tmp_path / out, *options).exception is None
    plain, shards = (ShardSet.open(tmp_path / name) for name in ("plain", "reviewed"))
    assert (plain.recipe.review, shards.recipe.review) == ("", read_review(boxes).digest)
    row = shards.rows.iloc[2]
    assert (row["crop_y"], row["crop_h"], row["crop_x"], row["crop_w"]) == (8, 64, 4, 48)
    assert row["flipped"]
    assert (shards.read(2) != plain.read(2)).any()
    assert (shards.read(3) == plain.read(3)).all()
    for options in ((), ("--review", boxes)):  # neither goes on in the folder of the other
        other = tmp_path / ("plain" if options else "reviewed")
        result = preprocess(manifest, other, *options)
        assert isinstance(result.exception, ConfigError)
        wanted = ", not demo .* with boxes by hand" if options else "with boxes by hand, not demo"
        assert re.search(wanted, str(result.exception))


def test_a_box_that_leaves_the_frame_is_one_sentence(
    manifest: Path, tmp_path: Path, boxes: Path
) -> None:
    boxes.write_text(boxes.read_text().replace(",72,", ",129,"))
    result = preprocess(manifest, tmp_path / "out", "--review", boxes)
    assert isinstance(result.exception, DatasetError)
    assert "line 2 differs" in str(result.exception)
    assert not (tmp_path / "out").exists()
    gone = preprocess(manifest, tmp_path / "out", "--review", tmp_path / "none.csv")
    assert isinstance(gone.exception, ConfigError)


def checkpoint(folder: Path, recipe: Recipe) -> Path:
    torch.manual_seed(1)
    weights = build_model(ARGS).state_dict()
    kept = Checkpoint(weights, ARGS, recipe.to_dict(), recipe.hash, {}, {}, 1, 0, "", {}, [], {})
    save_checkpoint(kept, folder / "model.pt")
    return folder / "model.pt"


def test_scores_are_of_the_boxes_that_were_given(
    manifest: Path, tmp_path: Path, boxes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe = load_recipe("demo", ["resize.size=[64, 48]"])
    model = checkpoint(tmp_path, reviewed_recipe(recipe, read_review(boxes)))

    def scores(name: str, *options: str | Path) -> list[float]:
        out = tmp_path / f"{name}.csv"
        args = ("--ckpt", model, "--device", "cpu", "--fold", "0", "-O", out, *options)
        result = call(cli.predict.command, manifest, *args)
        if result.exception:
            raise result.exception
        return read_predictions(out).sort_values("image_id")["prob"].tolist()

    with_table = scores("given", "--review", boxes)
    assert "had boxes by hand" not in caplog.text
    without = scores("method")
    assert "had boxes by hand" in caplog.text
    differing = sum(a != b for a, b in zip(with_table, without, strict=True))
    assert differing == 1
    boxes.write_text(boxes.read_text().replace(",72,", ",73,"))
    with pytest.raises(ConfigError, match="is not the table"):
        scores("other", "--review", boxes)


def test_a_run_learns_from_the_boxes(
    tmp_path: Path, boxes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Recipe] = []

    def train(_settings: object, recipe: Recipe, *_: object) -> None:
        made.append(recipe)
        raise ConfigError("enough")

    monkeypatch.setattr("trainer.train.train", train)
    call(cli.train.command, "m.parquet", "-O", tmp_path / "run", *SMALL, "--review", boxes)
    assert [recipe.review for recipe in made] == [read_review(boxes).digest]


def test_a_preview_shows_the_box(manifest: Path, tmp_path: Path, boxes: Path) -> None:
    name = read_manifest(manifest)["image_id"][2]
    args = ("--id", name, *SMALL, "--json")
    out = [tmp_path / "plain.png", tmp_path / "given.png"]
    call(preview, manifest, "-O", out[0], *args)
    result = call(preview, manifest, "-O", out[1], *args, "--review", boxes)
    assert list(json.loads(result.stdout)["previews"]) == [name]
    assert out[0].read_bytes() != out[1].read_bytes()
