"""--frames of `mammo scan` and `mammo predict`: from a tomosynthesis file to labels and scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from cli import evaluate, predict, preprocess, scan
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.errors import ConfigError
from dali_pipelines.identity import load_key
from dali_pipelines.manifest import read_manifest
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.table import read_rejects, rejects_beside
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason
from tests.frame_stack import TOMOSYNTHESIS, dicom_of, stack
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.build import build_model

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
RECIPE = Recipe("small", resize=ResizeSettings(size=(48, 32)))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dicom/: three frames, their copy, a single image, three frames of which one is cut."""
    folder = tmp_path_factory.mktemp("archive")
    (folder / "dicom").mkdir()
    values = stack(3, 12, (96, 80))
    tomosynthesis = dicom_of(values, "j2k", SOPClassUID=TOMOSYNTHESIS, SOPInstanceUID="1.2")
    for name in ("1.dcm", "2_copy.dcm"):
        tomosynthesis.write(folder / "dicom" / name)
    single = dicom_of(values[:1], "jpegls", SOPInstanceUID="1.3", PatientID="p2", NumberOfFrames=1)
    single.write(folder / "dicom" / "3.dcm")
    broken = dicom_of(values, "j2k", SOPClassUID=TOMOSYNTHESIS, SOPInstanceUID="1.4")
    assert not isinstance(broken.pixels, bytes)
    parts = list(broken.pixels or ())
    broken.pixels = [*parts[:2], parts[2][:200]]
    broken.write(folder / "dicom" / "4.dcm")
    (folder / "labels.csv").write_text("sop_instance_uid,cancer\n1.2,1\n1.3,0\n")
    weights = build_model(ARGS).state_dict()
    torch.manual_seed(1)
    checkpoint = Checkpoint(
        weights, ARGS, RECIPE.to_dict(), RECIPE.hash, {}, {}, 1, 0, "", {}, [], {}
    )
    save_checkpoint(checkpoint, folder / "a.pt")
    return folder


def run(module: Any, *args: str | Path) -> str:
    result = CliRunner().invoke(module.command, list(map(str, args)), standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def codes(table: Path) -> dict[str, Reason]:
    return {Path(row.path).name: row.reason for row in read_rejects(rejects_beside(table))}


@pytest.mark.parametrize(
    ("frames", "numbers", "fourth"),
    [
        ("error", [-1], Reason.MULTIFRAME),
        ("first", [0, -1, 0], None),
        ("middle", [1, -1, 1], None),
        ("all", [0, 1, 2, -1], Reason.TRUNCATED),
        ("mip", [-1, -1], Reason.TRUNCATED),
    ],
)
def test_scan_counts_inputs_and_labels_reach_every_frame(
    archive: Path, tmp_path: Path, frames: str, numbers: list[int], fourth: Reason | None
) -> None:
    out = tmp_path / "m.parquet"
    labels = ("--labels", archive / "labels.csv")
    facts = json.loads(
        run(scan, archive / "dicom", "-O", out, "--frames", frames, *labels, "--json")
    )
    frame = read_manifest(out)
    assert frame["frame"].fillna(-1).tolist() == numbers
    assert frame["image_id"].is_unique
    assert sum(facts["inventory"]["inputs"].values()) == 4
    duplicate = {} if frames == "error" else {"2_copy.dcm": Reason.DUPLICATE}
    skipped = dict.fromkeys(("1.dcm", "2_copy.dcm"), Reason.MULTIFRAME) if frames == "error" else {}
    damaged = {"4.dcm": fourth} if fourth else {}
    assert codes(out) == {**duplicate, **skipped, **damaged}
    wanted = {"1.2": 1, "1.3": 0, "1.4": -1}
    found = frame["cancer"].fillna(-1).tolist()
    assert found == [wanted[uid] for uid in frame["sop_instance_uid"]]


def test_preprocess_writes_every_frame(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    run(scan, archive / "dicom", "-O", out, "--frames", "all")
    run(preprocess, out, tmp_path / "shards", "--recipe", "demo", "--device", "cpu", "-j", "1")
    index = pd.read_parquet(tmp_path / "shards" / "index.parquet")
    assert index["image_id"].tolist() == read_manifest(out)["image_id"].tolist()


@pytest.mark.parametrize("frames", ["all", "mip"])
def test_predict_scores_every_frame(archive: Path, tmp_path: Path, frames: str) -> None:
    out = tmp_path / "p.csv"
    source = archive / "dicom" / "1.dcm"
    how = ("--ckpt", archive / "a.pt", "-O", out, "--device", "cpu", "--frames", frames)
    run(predict, source, *how)
    table = pd.read_csv(out)
    key = load_key(out.with_suffix(".key"))
    records = read_images(Source(str(source)), key, ReadOptions(frames=frames))
    assert table["image_id"].tolist() == [record.image_id for record in records]
    assert np.isfinite(table["prob"]).all()
    assert len(pd.read_csv(tmp_path / "p_patient.csv")) == 1


def test_raw_names_of_frames_find_their_labels(archive: Path, tmp_path: Path) -> None:
    manifest, out = tmp_path / "m.parquet", tmp_path / "p.csv"
    labels = ("--labels", archive / "labels.csv")
    sources = [archive / "dicom" / name for name in ("1.dcm", "3.dcm")]
    run(scan, *sources, "-O", manifest, "--frames", "all", *labels)
    run(predict, manifest, "--ckpt", archive / "a.pt", "-O", out, "--device", "cpu", "--ids", "raw")
    table = pd.read_csv(out, dtype={"image_id": str})
    assert table["image_id"].tolist() == ["1.2:0", "1.2:1", "1.2:2", "1.3"]
    table.drop(columns="cancer").to_csv(out, index=False)
    document = json.loads(run(evaluate, out, "--manifest", manifest, "--json"))
    assert document["levels"]["image"]["figures"]["n"] == 4


def test_a_manifest_has_settled_its_frames(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    run(scan, archive / "dicom", "-O", out, "--frames", "mip")
    with pytest.raises(ConfigError, match="--frames needs DICOM files"):
        run(predict, out, "--ckpt", archive / "a.pt", "--frames", "all", "-O", tmp_path / "p.csv")
