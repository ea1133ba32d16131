"""`mammo explain`: pictures and boxes on the px of the file, and a verdict for other inputs."""

import io
import json
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

import dali_pipelines.decoder
import trainer.explain.explain
import trainer.explain.picture
from cli.explain import _raw_names, command
from dali_pipelines.errors import CheckpointError, ConfigError, DatasetError, RejectsError
from dali_pipelines.manifest import read_manifest
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from tests.pool_without_children import PoolWithoutChildren
from trainer.artifact import save_artifact
from trainer.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from trainer.explain.occlusion import occlusion
from trainer.networks.build import build_model

RECIPES = {size: Recipe("small", resize=ResizeSettings(size=size)) for size in ((64, 48), (96, 64))}


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (dali_pipelines.decoder, trainer.explain.picture):
        monkeypatch.setattr(module, "DecodePool", PoolWithoutChildren)


@pytest.fixture(scope="module")
def rows(phantom_manifest: Path) -> pd.DataFrame:
    return read_manifest(phantom_manifest)


def save(path: Path, seed: int, size: tuple[int, int] = (64, 48), **more: object) -> Path:
    """A network of random weights that finds cancer in anything: its head is of positive sum."""
    args = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1, **more}
    torch.manual_seed(seed)
    weights = build_model(args).state_dict()
    for name in [name for name in weights if name.endswith(("fc.weight", "head.weight"))]:
        weights[name] = weights[name].abs()
    recipe = RECIPES[size]
    save_checkpoint(
        Checkpoint(weights, args, recipe.to_dict(), recipe.hash, {}, {}, 1, 0, "", {}, [], {}), path
    )
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("checkpoint") / "a.pt", 1)


def run(*args: object) -> Result:
    shown = [*map(str, args), "--device", "cpu"]
    return CliRunner().invoke(command, shown, standalone_mode=False)


def test_a_picture_has_the_px_of_its_file_and_boxes_lie_in_them(
    rows: pd.DataFrame, checkpoint: Path, phantom_manifest: Path, tmp_path: Path
) -> None:
    result = run(phantom_manifest, "--ckpt", checkpoint, "--sample", 3, "-O", tmp_path / "heat")
    assert result.exception is None
    names = [Path(line).stem for line in result.stdout.splitlines()]
    assert len(names) == 3
    assert "3 of" in result.stderr
    drawn = rows.set_index("image_id").loc[names]
    for name, row in drawn.iterrows():
        with Image.open(tmp_path / "heat" / f"{name}.png") as picture:
            assert picture.size == (row["columns"], row["rows"])
            assert picture.mode == "RGB"
            assert picture.info == {}
        with Image.open(tmp_path / "heat" / f"{name}_small.png") as small:
            assert small.size == (2 * row["columns"], row["rows"])  # the file itself is small
    boxes = pd.read_csv(tmp_path / "heat" / "boxes.csv")
    assert set(boxes["image_id"]) == set(names)
    sizes = drawn.loc[boxes["image_id"], ["rows", "columns"]].to_numpy()
    assert (boxes["top_px"] < boxes["bottom_px"]).all()
    assert (boxes["bottom_px"].to_numpy() <= sizes[:, 0]).all()
    assert (boxes["right_px"].to_numpy() <= sizes[:, 1]).all()
    assert boxes["row_px"].between(boxes["top_px"], boxes["bottom_px"]).all()
    assert boxes.groupby("image_id")["heat"].max().eq(1).all()
    assert boxes["heat"].ge(0.5).all()


def test_several_checkpoints_of_different_recipes_are_drawn_together(
    checkpoint: Path, phantom_manifest: Path, tmp_path: Path
) -> None:
    other = save(tmp_path / "b.pt", 2, (96, 64))
    for name, ckpts in {"one": [checkpoint], "two": [other], "both": [checkpoint, other]}.items():
        chosen = [part for path in ckpts for part in ("--ckpt", path)]
        result = run(phantom_manifest, *chosen, "--sample", 1, "--json", "-O", tmp_path / name)
        assert result.exception is None
    (image,) = json.loads(result.stdout)["images"]
    heat = {name: np.array(Image.open(tmp_path / name / f"{image}.png"))
            for name in ("one", "two", "both")}  # fmt: skip
    assert (heat["both"] != heat["one"]).any()
    assert (heat["both"] != heat["two"]).any()


def test_the_document_says_what_there_is_of_each_image(
    rows: pd.DataFrame, checkpoint: Path, tmp_path: Path
) -> None:
    result = run(rows["path"][0], "--ckpt", checkpoint, "--json", "-O", tmp_path / "heat")
    found = json.loads(result.stdout)
    ((image, facts),) = found["images"].items()
    assert facts["picture"] == str(tmp_path / "heat" / f"{image}.png")
    assert 0 < facts["prob"] < 1
    assert facts["boxes"] == len(pd.read_csv(tmp_path / "heat" / "boxes.csv"))
    assert found["ok"] + found["flagged"] == 1


def test_an_image_of_an_exam_is_looked_at_with_its_others(
    rows: pd.DataFrame, phantom_manifest: Path, tmp_path: Path
) -> None:
    exam = save(tmp_path / "exam.pt", 3, unit="exam", fusion="max")
    image = rows["image_id"][1]
    result = run(phantom_manifest, "--ckpt", exam, "--id", image, "-O", tmp_path / "heat")
    assert result.exception is None
    assert {path.name for path in (tmp_path / "heat").iterdir()} == {
        f"{image}.png", f"{image}_small.png", "boxes.csv"
    }  # fmt: skip


def test_pictures_and_boxes_are_tied_to_file_and_view(
    rows: pd.DataFrame, checkpoint: Path, phantom_manifest: Path, tmp_path: Path
) -> None:
    row = rows.iloc[0]
    args = ["--ckpt", checkpoint, "--id", row["image_id"], "-O", tmp_path / "heat", "--ids", "raw"]
    result = run(phantom_manifest, *args)
    assert result.exception is None
    uid = row["sop_instance_uid"]
    assert {path.name for path in (tmp_path / "heat").iterdir()} == {
        f"{uid}.png", f"{uid}_small.png", "boxes.csv"
    }  # fmt: skip
    boxes = pd.read_csv(tmp_path / "heat" / "boxes.csv")
    assert set(boxes["image_id"]) == {uid}
    assert set(boxes["laterality"]) == {row["laterality"]}
    assert set(boxes["view"]) == {row["view"]}


def test_a_raw_id_that_may_name_no_file_stays_keyed(rows: pd.DataFrame) -> None:
    uids = ["../../1.2", "1.2.840.3", "1.2/3", ""]
    frame = rows[:4].assign(sop_instance_uid=uids)
    assert _raw_names(frame) == {frame["image_id"].iloc[1]: "1.2.840.3"}


def test_images_in_which_nothing_spoke_for_cancer_are_counted(
    checkpoint: Path, phantom_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cold(_model: object, images: torch.Tensor, *_: object, **__: object) -> np.ndarray:
        return np.zeros((len(images), *images.shape[-2:]), np.float32)

    monkeypatch.setattr(trainer.explain.explain, "grad_cam", cold)
    args = ["--ckpt", checkpoint, "--sample", 2, "-O", tmp_path / "heat"]
    result = run(phantom_manifest, *args)
    assert "no place spoke for cancer in 2 of 2 images" in result.stderr


def test_a_run_directory_and_several_values_of_ckpt(
    checkpoint: Path, phantom_manifest: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    other = load_checkpoint(save(tmp_path / "b.pt", 2))
    save_artifact(other, tmp_path / "run" / "model.safetensors")
    one = run(phantom_manifest, "--ckpt", tmp_path / "run", "--sample", 1, "-O", tmp_path / "a")
    assert one.exception is None
    both = run(
        phantom_manifest, "--ckpt", checkpoint, tmp_path / "run", "--sample", 1,
        "-O", tmp_path / "b",
    )  # fmt: skip
    assert both.exception is None


def test_occlusion_and_a_layer_by_name(
    checkpoint: Path, phantom_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(occlusion, cover=32)  # six covers
    monkeypatch.setattr(trainer.explain.explain, "occlusion", few)
    pictures = set()
    ways: list[list[str]] = [["--method", "occlusion"], ["--layer", "layer2"], []]
    for k, how in enumerate(ways):
        out = tmp_path / str(k)
        result = run(phantom_manifest, "--ckpt", checkpoint, "--sample", 1, *how, "-O", out)
        assert result.exception is None
        pictures.add(Path(result.stdout.strip()).read_bytes())
    assert len(pictures) == 3
    wrong = run(phantom_manifest, "--ckpt", checkpoint, "--layer", "layr2", "-O", tmp_path / "x")
    assert isinstance(wrong.exception, ConfigError)
    assert "Did you mean 'layer2'?" in str(wrong.exception)


def test_a_network_that_diverged_draws_nothing(
    rows: pd.DataFrame, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer.explain.explain, "logits_of", lambda *_: torch.tensor([torch.nan]))
    result = run(rows["path"][0], "--ckpt", checkpoint, "-O", tmp_path / "a")
    assert isinstance(result.exception, CheckpointError)
    assert not list((tmp_path / "a").iterdir())


def test_an_input_without_a_picture_has_a_verdict(
    rows: pd.DataFrame, checkpoint: Path, tmp_path: Path
) -> None:
    whole = Path(rows["path"][0]).read_bytes()
    (tmp_path / "secret.dcm").write_bytes(whole[: len(whole) // 2])
    some = run(tmp_path / "secret.dcm", rows["path"][1], "--ckpt", checkpoint, "-O", tmp_path / "a")
    assert isinstance(some.exception, RejectsError)
    assert "an input: E_TRUNCATED: " in some.stderr
    assert "secret" not in some.stderr
    assert (tmp_path / "a_rejects.csv").exists()
    assert len(list((tmp_path / "a").glob("*_small.png"))) == 1
    none = run(tmp_path / "secret.dcm", "--ckpt", checkpoint, "-O", tmp_path / "b")
    assert isinstance(none.exception, DatasetError)


def test_an_image_that_is_damaged_after_the_scan_is_a_reject(
    rows: pd.DataFrame, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(record: object) -> object:
        raise FileNotFoundError(2, "gone")

    monkeypatch.setattr(trainer.explain.picture, "read_encoded", gone)
    result = run(rows["path"][0], "--ckpt", checkpoint, "-O", tmp_path / "a", "--max-rejects", 1)
    assert result.exception is None
    assert "1 failed" in result.stderr
    assert pd.read_csv(tmp_path / "a_rejects.csv")["stage"].tolist() == ["explain"]
    assert pd.read_csv(io.StringIO((tmp_path / "a" / "boxes.csv").read_text())).empty


def test_nothing_of_the_patient_gets_out(
    rows: pd.DataFrame, checkpoint: Path, tmp_path: Path
) -> None:
    result = run(rows["path"][0], "--ckpt", checkpoint, "-O", tmp_path / "a")
    out = result.stdout.encode() + result.stderr.encode()
    out += b"".join(path.read_bytes() for path in (tmp_path / "a").iterdir())
    for column in ("patient_id", "sop_instance_uid", "study_instance_uid", "path"):
        assert str(rows[column][0]).encode() not in out
