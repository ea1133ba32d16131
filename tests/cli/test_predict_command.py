"""From DICOM files to scores, with a small network that has learned nothing."""

import errno
import json
import os
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pandas as pd
import pytest
import torch
from click.testing import CliRunner, Result
from pydicom import dcmread

from cli.predict import command
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.errors import (
    CheckpointError,
    ConfigError,
    DatasetError,
    DeviceError,
    RejectsError,
)
from dali_pipelines.identity import image_id, load_key
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.table import read_rejects, rejects_beside
from dali_pipelines.verdicts import Reason
from trainer.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from trainer.checksums import file_sha256
from trainer.cohort import fingerprint_of
from trainer.networks.build import build_model
from trainer.prediction.unfinished import unfinished_beside
from trainer.scores.reading import read_predictions
from trainer.scores.trained_images import trained_images

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
RECIPE = Recipe("small", resize=ResizeSettings(size=(48, 32)))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two patients as DICOM files below dicom/, their manifest, and two checkpoints."""
    folder = tmp_path_factory.mktemp("archive")
    small = PhantomSettings(patients=2, prevalence=1.0, height=96, width=80, workers=1)
    exams = write_phantoms(folder / "phantom", small)
    exams.images.rename(folder / "dicom")
    settings = CatalogSettings(folder / "m.parquet", labels=(exams.labels,))
    catalog = write_catalog(plan_catalog([folder / "dicom"], settings))
    patients, _ = pd.factorize(catalog.frame["patient_id"])
    write_manifest(catalog.frame.assign(fold=patients), settings.manifest)
    for seed in (1, 2):
        torch.manual_seed(seed)
        weights = build_model(ARGS).state_dict()
        checkpoint = Checkpoint(
            weights, ARGS, RECIPE.to_dict(), RECIPE.hash, {}, {}, 1, 0, "", {}, [], {}
        )
        save_checkpoint(checkpoint, folder / f"{seed}.pt")
    return folder


def _run(*args: str | Path) -> Result:
    shown = [*map(str, args), "--device", "cpu"]
    return CliRunner().invoke(command, shown, standalone_mode=False)


def _ckpt(archive: Path, *seeds: int) -> list[str]:
    return [part for seed in seeds or (1,) for part in ("--ckpt", str(archive / f"{seed}.pt"))]


def test_a_manifest_gives_scores_on_three_levels(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "p.csv"
    result = _run(archive / "m.parquet", *_ckpt(archive), "-O", out)
    assert result.exception is None
    assert result.stdout == f"{out}\n"
    images = read_predictions(out)
    assert len(images) == 8
    assert images["prob"].between(0, 1).all()
    assert set(images["view"]) == {"CC", "MLO"}
    assert images["cancer"].sum() == 4
    assert len(pd.read_csv(tmp_path / "new" / "p_breast.csv")) == 4
    assert len(pd.read_csv(tmp_path / "new" / "p_patient.csv")) == 2


def test_files_are_scanned_on_the_way_and_score_the_same(archive: Path, tmp_path: Path) -> None:
    key = archive / "m.key"
    _run(archive / "m.parquet", *_ckpt(archive), "-O", tmp_path / "a.csv")
    _run(archive / "dicom", *_ckpt(archive), "-O", tmp_path / "b.csv", "--id-key", key)
    assert trained_images(json.loads((tmp_path / "b_about.json").read_text())) is None
    assert _run(archive / "dicom", *_ckpt(archive), "-O", tmp_path / "new/c.csv").exception is None
    assert (tmp_path / "new" / "c.key").stat().st_mode & 0o777 == 0o600
    columns = ["image_id", "patient_id", "prob"]
    first, second = (
        read_predictions(tmp_path / name)[columns].sort_values("image_id", ignore_index=True)
        for name in ("a.csv", "b.csv")
    )
    pd.testing.assert_frame_equal(first, second, rtol=1e-5)


def test_names_are_hashes_unless_raw_ones_are_asked_for(archive: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(archive / "m.parquet")
    _run(archive / "m.parquet", *_ckpt(archive), "-O", tmp_path / "keyed.csv")
    keyed = (tmp_path / "keyed.csv").read_text()
    assert not any(name in keyed for name in [*frame["patient_id"], *frame["sop_instance_uid"]])
    key = load_key(archive / "m.key")
    assert image_id(key, frame["sop_instance_uid"].iloc[0]) in keyed
    _run(archive / "m.parquet", *_ckpt(archive), "-O", tmp_path / "raw.csv", "--ids", "raw")
    raw = read_predictions(tmp_path / "raw.csv")
    assert set(raw["image_id"]) == set(frame["sop_instance_uid"])
    assert set(raw["patient_id"]) == set(frame["patient_id"])
    modes = {path.stat().st_mode & 0o077 for path in tmp_path.glob("raw*.csv")}
    assert modes == {0}  # they name patients: for their owner only


def test_one_fold_and_several_checkpoints(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    _run(archive / "m.parquet", *_ckpt(archive, 1, 2), "--fold", "1", "-O", out)
    assert read_predictions(out)["fold"].to_list() == [1] * 4
    assert len(json.loads((tmp_path / "p_about.json").read_text())["members"]) == 2


def test_members_of_two_recipes_share_a_pass_and_every_format_holds_the_same(
    archive: Path, tmp_path: Path
) -> None:
    paths = [str(archive / "1.pt"), str(_other_recipe(archive, tmp_path))]
    alone = []
    for number, path in enumerate(paths):
        out = tmp_path / f"{number}.csv"
        assert _run(archive / "m.parquet", "--ckpt", path, "-O", out).exception is None
        alone.append(read_predictions(out)["prob"])
    tables = []
    for out in (tmp_path / "p.csv", tmp_path / "p.json", tmp_path / "q" / "p.parquet"):
        said = _run(archive / "m.parquet", "--ckpt", *paths, "-O", out, "--tta", "")
        assert said.exception is None
        assert len(list(out.parent.glob(f"p_*{out.suffix}"))) >= 3  # breasts, exams, patients
        tables.append(read_predictions(out))
    assert tables[0]["prob"].to_list() == pytest.approx(((alone[0] + alone[1]) / 2).to_list())
    assert "+" in tables[0]["recipe_hash"][0]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0], check_exact=True)
    abouts = {path.read_text() for path in tmp_path.rglob("p_about.json")}
    assert len(abouts) == 1
    about = abouts.pop()
    assert str(tmp_path) not in about
    assert str(archive) not in about
    facts: dict[str, Any] = json.loads(about)
    assert [member["sha256"] for member in facts["members"]] == [
        file_sha256(Path(path)) for path in paths
    ]
    assert facts["aggregation"] == "mean/max/max"
    assert (facts["decision"], facts["counts"]["ok"] + facts["counts"]["flagged"]) == (None, 8)
    assert not list(tmp_path.rglob("*_unfinished"))


def _other_recipe(archive: Path, folder: Path) -> Path:
    checkpoint = load_checkpoint(archive / "2.pt")
    recipe = replace(RECIPE, resize=ResizeSettings(size=(64, 48)))
    other = replace(checkpoint, recipe=recipe.to_dict(), recipe_hash=recipe.hash)
    save_checkpoint(other, folder / "other.pt")
    return folder / "other.pt"


def test_the_threshold_of_a_checkpoint_decides_on_its_level(
    archive: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It also learned from the manifest's other fold, which is said."""
    frame = pd.read_parquet(archive / "m.parquet")
    probs = _scores_of(archive, tmp_path)
    threshold = float(probs.median())
    settings = {"monitor": "patient/auroc", "validate": "fold", "fold": 1}
    checkpoint = replace(load_checkpoint(archive / "1.pt"), threshold=threshold, settings=settings)
    checkpoint = replace(checkpoint, data=str(fingerprint_of(read_manifest(archive / "m.parquet"))))
    save_checkpoint(checkpoint, tmp_path / "t.pt")
    ckpt = ("--ckpt", tmp_path / "t.pt", "-O", tmp_path / "t.csv")
    assert _run(archive / "m.parquet", *ckpt).exception is None
    assert f"{int((frame['fold'] == 0).sum())} of 8 images were trained on" in caplog.text
    table = pd.read_csv(tmp_path / "t_patient.csv")
    assert (table["positive"] == (table["prob"] >= threshold)).all()
    assert "risk" not in table  # nobody has calibrated it
    assert "positive" not in pd.read_csv(tmp_path / "t_breast.csv")
    about = json.loads((tmp_path / "t_about.json").read_text())
    assert about["decision"]["threshold"] == threshold
    assert trained_images(about) == int((frame["fold"] == 0).sum())
    caplog.clear()
    changed = ("--aggregate", "max/max", "--fold", "1")
    assert _run(archive / "m.parquet", *ckpt, *changed).exception is None
    assert "trained on" not in caplog.text
    assert "none is applied to max/max/max" in caplog.text
    assert "positive" not in pd.read_csv(tmp_path / "t_patient.csv")
    about = json.loads((tmp_path / "t_about.json").read_text())
    assert (about["decision"], trained_images(about)) == (None, 0)


def _scores_of(archive: Path, folder: Path) -> "pd.Series[float]":
    _run(archive / "m.parquet", *_ckpt(archive), "-O", folder / "plain.csv")
    return pd.read_csv(folder / "plain_patient.csv")["prob"]


def test_a_submission_that_fails_at_its_end_costs_no_second_pass(
    archive: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("INFO", "mammo.predict")
    frame = pd.read_parquet(archive / "m.parquet")
    numbered = frame.assign(patient_id=frame["fold"].astype(str) + "7")
    write_manifest(numbered, tmp_path / "numbered.parquet")
    (tmp_path / "like.csv").write_text("prediction_id,cancer\n7_L,0\n17_R,0\n17_L,0\n07_R,0\n")
    out = tmp_path / "s.csv"
    args = (tmp_path / "numbered.parquet", *_ckpt(archive), "-O", out, "--format", "rsna")
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        patch.setattr("trainer.prediction.about.write_about", mock.Mock(side_effect=full))
        assert _run(*args).exception is full
    assert (tmp_path / "s_unfinished").is_dir()
    asked = ("--like", tmp_path / "like.csv", "--prior", "0.25")
    assert _run(*args, *asked).exception is None
    assert "going on: 1 blocks were scored before" in caplog.text
    lines = out.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == [
        *("prediction_id", "7_L", "17_R", "17_L", "07_R")
    ]
    assert lines[1] == "7_L,0.25"  # nobody's
    assert "0.25" not in lines[2:]
    assert not list(tmp_path.glob("s_breast*"))
    assert out.stat().st_mode & 0o777 == 0o600
    assert "names patients by raw ids" in caplog.text


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--submit", "positive"], ConfigError),  # nobody has chosen a threshold
        (["--submit", "risk"], ConfigError),
        (["--format", "spr"], DatasetError),  # no image has an accession number
        (["--like", "absent.csv"], ConfigError),
        (["--like", "empty.csv"], DatasetError),
        (["--like", "other.csv"], DatasetError),  # of other patients than the manifest
    ],
)
def test_a_submission_that_cannot_be_is_told_before_anything_is_scored(
    archive: Path, tmp_path: Path, options: list[str], error: type[Exception]
) -> None:
    (tmp_path / "empty.csv").write_text("prediction_id,cancer\n")
    (tmp_path / "other.csv").write_text("prediction_id,cancer\n99_L,0\n")
    options = [str(tmp_path / o) if o.endswith(".csv") else o for o in options]
    args = (archive / "m.parquet", *_ckpt(archive), "-O", tmp_path / "s.csv", "--format", "rsna")
    assert isinstance(_run(*args, *options).exception, error)
    assert not list(tmp_path.glob("s*"))


def test_an_interruption_costs_what_is_scored_nothing(archive: Path, tmp_path: Path) -> None:
    args = (archive / "m.parquet", *_ckpt(archive), "-O", tmp_path / "p.csv")
    with mock.patch("trainer.prediction.predict.score_blocks", side_effect=KeyboardInterrupt):
        said = _run(*args)
    assert isinstance(said.exception, KeyboardInterrupt | click.Abort)
    assert "stopped; the same command goes on from here\n" in said.stderr


def test_broken_inputs_are_named_counted_and_cost_no_other(archive: Path, tmp_path: Path) -> None:
    images = sorted((archive / "dicom").rglob("*.dcm"))
    folder = tmp_path / "exam"
    folder.mkdir()
    for number, image in enumerate(images):
        whole = image.read_bytes()
        (folder / f"{number}.dcm").write_bytes(whole if number else whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("hello")
    args = (str(folder), *_ckpt(archive), "-O", str(tmp_path / "p.csv"), "--json")
    strict = _run(*args)
    assert isinstance(strict.exception, RejectsError)
    assert "1 of 8 inputs" in str(strict.exception)  # the text file is no lost image
    said = strict.stderr.splitlines()[-1]
    assert said.startswith("9 inputs: ")
    assert "1 skipped (not_dicom 1), 1 failed (E_TRUNCATED 1); mammo rejects " in said
    assert _run(*args[:-1]).stdout == ""  # a path stands for success
    assert len(read_predictions(tmp_path / "p.csv")) == 7
    assert _run(*args, "--max-rejects", "20%").exception is None
    facts: dict[str, Any] = json.loads(strict.stdout)
    assert (facts["image"]["n"], facts["breast"]["n"], facts["rejects"]["n"]) == (7, 4, 2)
    rejects = Path(facts["rejects"]["path"])
    assert rejects.stat().st_mode & 0o777 == 0o600
    assert "0.dcm" in rejects.read_text()


def test_the_limits_of_a_scan_hold_for_files(archive: Path, tmp_path: Path) -> None:
    image = next((archive / "dicom").rglob("*.dcm"))
    large = dcmread(image)
    large.Rows, large.Columns = 1001, 1000
    folder, out = tmp_path / "exam", tmp_path / "p.csv"
    folder.mkdir()
    large.save_as(folder / "large.dcm")
    (folder / "sound.dcm").write_bytes(image.read_bytes())
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("packed.dcm", bytes((1 << 20) + 1))
    how = (*_ckpt(archive), "-O", out, "--max-rejects", "100%", "--max-pixels", "1")
    assert _run(folder, *how, "--max-inflated", "1").exception is None
    assert [row.reason for row in read_rejects(rejects_beside(out))] == [Reason.TOO_LARGE] * 2
    refused = _run(archive / "m.parquet", *how)
    assert isinstance(refused.exception, ConfigError)
    assert "--max-pixels needs DICOM files" in str(refused.exception)


def test_what_cannot_be_scored_is_one_sentence(archive: Path, tmp_path: Path) -> None:
    def error(*args: str | Path) -> BaseException | None:
        return _run(*args, "-O", tmp_path / "p.csv").exception

    manifest = archive / "m.parquet"
    other = error(manifest, *_ckpt(archive), "--recipe", "demo")
    assert isinstance(other, CheckpointError)
    assert RECIPE.hash in str(other)
    assert isinstance(error(manifest, "--ckpt", "absent.pt"), CheckpointError)
    assert isinstance(error("absent.parquet", *_ckpt(archive)), ConfigError)
    assert "it has folds 0, 1" in str(error(manifest, *_ckpt(archive), "--fold", "7"))
    assert isinstance(error(archive / "dicom", *_ckpt(archive), "--fold", "0"), ConfigError)
    assert "only input" in str(error(archive / "dicom", manifest, *_ckpt(archive)))
    replaced = _run(manifest, *_ckpt(archive), "-O", manifest).exception
    assert "no table of scores, such as a manifest" in str(replaced)
    assert "held out a fold" in str(error(manifest, *_ckpt(archive), "--out-of-fold"))
    assert "2 numbers for 1 members" in str(error(manifest, *_ckpt(archive), "--weights", "1,2"))
    assert "did you mean" in str(error(manifest, *_ckpt(archive), "--tta", "hflp")).lower()
    twin = tmp_path / "twin.csv"
    twin.symlink_to(manifest)
    assert "is an input" in str(_run(manifest, *_ckpt(archive), "-O", twin).exception)
    bare = tmp_path / "bare.parquet"
    write_manifest(pd.read_parquet(manifest).drop(columns="fold"), bare)
    assert "mammo split" in str(error(bare, *_ckpt(archive), "--fold", "0"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "notes.txt").write_text("hello")
    nothing = error(tmp_path / "text", *_ckpt(archive))
    assert isinstance(nothing, DatasetError)
    assert "p_rejects.csv" in str(nothing)
    twice = str(error(manifest, *_ckpt(archive, 1, 2, 1)))
    assert "names a checkpoint twice" in twice


def test_a_folder_without_images_replaces_no_scores(archive: Path, tmp_path: Path) -> None:
    """As where the disk with them is not mounted."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "p.csv").write_text("of yesterday")
    kept = unfinished_beside(tmp_path / "p.csv")
    kept.mkdir()
    (kept / "rows-0-0").write_text("of today")
    nothing = _run(tmp_path / "empty", *_ckpt(archive), "-O", tmp_path / "p.csv").exception
    assert isinstance(nothing, DatasetError)
    assert (tmp_path / "p.csv").read_text() == "of yesterday"
    assert (kept / "rows-0-0").read_text() == "of today"


def test_ranks_wait_for_a_slow_one_of_many_hours(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    join = mock.Mock(side_effect=DeviceError("joined"))
    monkeypatch.setattr("torch.distributed.init_process_group", join)
    failed = _run(archive / "m.parquet", *_ckpt(archive), "-O", tmp_path / "p.csv")
    assert isinstance(failed.exception, DeviceError)
    assert join.call_args.kwargs["timeout"] > timedelta(days=1)
