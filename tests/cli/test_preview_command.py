"""`mammo preview`: a PNG for each image, a verdict for the others, and no word of a patient."""

import json
import zipfile
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pydicom import dcmread

import dali_pipelines.decoder
import dali_pipelines.inspection.previewer
from cli.preview import command
from dali_pipelines.errors import ConfigError, DatasetError, RejectsError
from dali_pipelines.identity import image_id, load_key
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.rejects.table import read_rejects
from dali_pipelines.verdicts import Reason
from tests.pool_without_children import PoolWithoutChildren


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (dali_pipelines.decoder, dali_pipelines.inspection.previewer):
        monkeypatch.setattr(module, "DecodePool", PoolWithoutChildren)


@pytest.fixture
def rows(phantom_manifest: Path) -> pd.DataFrame:
    return read_manifest(phantom_manifest)


def run(*args: str | Path) -> Result:
    shown = [*map(str, args), "--recipe", "demo", "--set", "resize.size=[64,52]"]
    return CliRunner().invoke(command, shown, standalone_mode=False)


def test_one_file_is_one_png(rows: pd.DataFrame, tmp_path: Path) -> None:
    out = tmp_path / "new" / "one.png"
    result = run(rows["path"][0], "-O", out)
    assert result.exception is None
    assert result.stdout == f"{out}\n"
    with Image.open(out) as picture:
        assert picture.size[0] >= 900
    key = load_key(tmp_path / "new" / "one.key")
    named = run(rows["path"][0], "-O", out, "--json")
    found = json.loads(named.stdout)
    assert found["previews"] == {image_id(key, rows["sop_instance_uid"][0]): str(out)}
    assert (found["ok"] + found["flagged"], found["failed"]) == (1, 0)


def test_several_are_named_by_their_image_id(
    rows: pd.DataFrame, phantom_manifest: Path, tmp_path: Path
) -> None:
    key = phantom_manifest.with_suffix(".key")
    folder = tmp_path / "out"
    result = run(*rows["path"][:2], "-O", folder, "--id-key", key)
    assert result.exception is None
    assert {p.stem for p in folder.glob("*.png")} == set(rows["image_id"][:2])
    assert isinstance(run(*rows["path"][:2], "-O", tmp_path / "two.png").exception, ConfigError)
    assert not (tmp_path / "two.png").exists()


def test_nothing_of_the_patient_gets_out(rows: pd.DataFrame, tmp_path: Path) -> None:
    result = run(rows["path"][0], "-O", tmp_path / "p")
    (png,) = (tmp_path / "p").glob("*.png")
    out = png.read_bytes() + result.stdout.encode() + result.stderr.encode()
    for column in ("patient_id", "sop_instance_uid", "study_instance_uid", "path"):
        assert str(rows[column][0]).encode() not in out
    with Image.open(png) as picture:
        assert picture.info == {}


def test_an_input_without_a_picture_has_a_verdict(rows: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("hello")
    nothing = run(tmp_path / "secret.txt", "-O", tmp_path / "a.png")
    assert isinstance(nothing.exception, DatasetError)
    assert nothing.stderr.splitlines()[-1].startswith("an input: not_dicom: ")
    assert "no image among 1 input: 0 ok, 1 skipped (not_dicom 1)" in str(nothing.exception)
    whole = Path(rows["path"][0]).read_bytes()
    (tmp_path / "secret.dcm").write_bytes(whole[: len(whole) // 2])
    cut = run(tmp_path / "secret.dcm", rows["path"][1], "-O", tmp_path / "b")
    assert isinstance(cut.exception, RejectsError)
    assert "an input: E_TRUNCATED: " in cut.stderr
    assert isinstance(
        run(tmp_path / "secret.dcm", "-O", tmp_path / "a.png").exception, DatasetError
    )
    assert len(list((tmp_path / "b").glob("*.png"))) == 1
    assert "2 inputs: 1 ok, 1 failed (E_TRUNCATED 1)" in cut.stderr.replace(
        "0 ok, 1 flagged", "1 ok"
    )
    assert "secret" not in nothing.stderr + cut.stderr
    (row,) = read_rejects(tmp_path / "b_rejects.csv")
    assert row.path == str(tmp_path / "secret.dcm")
    beside = run(tmp_path / "secret.txt", rows["path"][1], "-O", tmp_path / "c")
    assert beside.exception is None  # it is no lost image


def test_the_limits_of_a_scan_hold_for_files(rows: pd.DataFrame, tmp_path: Path) -> None:
    large = dcmread(rows["path"][0])
    large.Rows, large.Columns = 1001, 1000
    large.save_as(tmp_path / "large.dcm")
    packed = tmp_path / "packed.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed.dcm", bytes((1 << 20) + 1))
    limits = ("--max-pixels", "1", "--max-inflated", "1")
    run(tmp_path / "large.dcm", packed, rows["path"][1], "-O", tmp_path / "out", *limits)
    found = [row.reason for row in read_rejects(tmp_path / "out_rejects.csv")]
    assert found == [Reason.TOO_LARGE] * 2
    assert len(list((tmp_path / "out").glob("*.png"))) == 1


def test_no_table_where_nothing_was_rejected(rows: pd.DataFrame, tmp_path: Path) -> None:
    assert run(rows["path"][0], "-O", tmp_path / "a.png").exception is None
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "a.key"}
    (tmp_path / "a_rejects.csv").write_text("of an earlier run")
    run(rows["path"][0], "-O", tmp_path / "a.png")
    assert read_rejects(tmp_path / "a_rejects.csv") == []


def test_a_verdict_gives_its_advice_once(rows: pd.DataFrame, tmp_path: Path) -> None:
    whole = Path(rows["path"][0]).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:400])
    said = run(tmp_path / "cut.dcm", "-O", tmp_path / "a.png").stderr
    assert said.lower().count("fetch") == 1


def test_another_suffix_is_no_folder(rows: pd.DataFrame, tmp_path: Path) -> None:
    for name in ("one.jpg", "one.PNG"):
        result = run(rows["path"][0], "-O", tmp_path / name)
        assert isinstance(result.exception, click.UsageError)
    assert list(tmp_path.iterdir()) == []


def test_a_few_images_of_a_manifest(
    rows: pd.DataFrame, phantom_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def names(records: list, *_: object) -> tuple[dict, list]:
        drawn[:] = [record.image_id for record in records]
        return {}, []

    monkeypatch.setattr("cli.preview._write", names)
    manifest = tmp_path / "m.parquet"
    flags = [["spot"] if k in {3, 5, 9} else [] for k in range(len(rows))]
    write_manifest(rows.assign(flags=flags), manifest)
    ids = rows["image_id"].tolist()
    out = ("-O", tmp_path / "out")
    result = run(manifest, *out)
    assert len(drawn) == 20
    assert "20 of 32 images are drawn; --sample N draws N" in result.stderr
    assert run(manifest, *out, "--flag", "spot").exception is None
    assert drawn == [ids[3], ids[5], ids[9]]
    assert run(manifest, *out, "--id", ids[7], "--id", ids[1]).exception is None
    assert drawn == [ids[1], ids[7]]
    assert run(manifest, "-O", tmp_path / "x.png", "--sample", "1").exception is None
    assert len(drawn) == 1
    assert isinstance(run(manifest, *out, "--flag", "spots").exception, click.UsageError)


def test_a_recipe_that_refuses_every_image(rows: pd.DataFrame, tmp_path: Path) -> None:
    strict = ("--set", "voi.use=lut", "--set", "voi.fallback=reject")
    result = run(rows["path"][0], "-O", tmp_path / "a.png", *strict)
    assert isinstance(result.exception, RejectsError)
    assert ": E_GRAY_VOI: " in result.stderr
    assert not (tmp_path / "a.png").exists()


def test_a_file_is_not_replaced_by_its_preview(rows: pd.DataFrame, tmp_path: Path) -> None:
    copy = tmp_path / "image.png"
    copy.write_bytes(Path(rows["path"][0]).read_bytes())
    assert isinstance(run(copy, "-O", copy).exception, ConfigError)
