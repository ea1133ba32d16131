"""`mammo scan` and `mammo split` on files as users have them, good and bad."""

import csv
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli.scan import command as scan
from cli.split import command as split
from dali_pipelines.atomic import alone_with
from dali_pipelines.errors import ConfigError, DatasetError, RejectsError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom

VIEWS = [("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO")]


def write_image(path: Path, patient: int, view: int, **changes: object) -> None:
    values = np.arange(48, dtype=np.uint16).reshape(8, 6) + 97 * patient + 13 * view
    header = HeaderSpec(
        patient_id=f"SECRET{patient}",
        study_uid=f"2.25.{patient}",
        sop_uid=f"2.25.{patient}.{view}",
        laterality=VIEWS[view][0],
        view=VIEWS[view][1],
        changes=changes,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom(path, values, header)


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight patients with four views; the first two have cancer on the left. Do not change it."""
    root = tmp_path_factory.mktemp("exams")
    rows = ["patient_id,image_id,laterality,view,age,cancer"]
    for patient in range(8):
        for view, (side, name) in enumerate(VIEWS):
            write_image(root / str(patient) / f"{view}.dcm", patient, view)
            cancer = int(patient < 2 and side == "L")
            rows.append(f"SECRET{patient},2.25.{patient}.{view},{side},{name},57,{cancer}")
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Three good images (one in an archive), and one input of each common kind of bad."""
    root = tmp_path / "mixed"
    write_image(root / "a" / "good", 0, 0)
    write_image(root / "a" / "good.dicom", 0, 1)
    write_image(root / "later.dcm", 0, 2)
    with zipfile.ZipFile(root / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(root / "later.dcm", "in/side.dcm")
    (root / "later.dcm").unlink()
    whole = (root / "a" / "good").read_bytes()
    (root / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    (root / "empty.dcm").touch()
    (root / "notes.txt").write_text("Jane Doe\n")
    (root / "loop").symlink_to(root)
    write_image(root / "frames.dcm", 0, 3, NumberOfFrames=2)
    shutil.copy(root / "a" / "good", root / "z_copy")
    return root


def run(*args: object) -> Result:
    command = scan if args[0] == "scan" else split
    return CliRunner().invoke(command, [str(arg) for arg in args[1:]])


def codes(rejects: Path) -> dict[str, str]:
    with open(rejects, newline="") as file:
        return {Path(row["path"]).name: row["code"] for row in csv.DictReader(file)}


def test_scan_then_split(exams: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "m.parquet"
    result = run("scan", exams, "-O", out, "--labels", exams / "labels.csv", "-j", 1)
    assert result.exception is None, result.stderr
    assert result.stdout == f"{out}\n"
    assert "32  images" in result.stderr
    assert "32 images labeled, 0 images without a label" in result.stderr
    assert "SECRET" not in result.output
    for name in ("m.parquet", "m.key", "m_rejects.csv"):
        assert (out.parent / name).stat().st_mode & 0o777 == 0o600
    assert codes(out.parent / "m_rejects.csv") == {}
    frame = read_manifest(out)
    assert frame["cancer"].sum() == 4

    before = out.read_bytes()
    result = run("split", out, "--folds", 2, "--json")
    assert result.exception is None, result.stderr
    receipt = json.loads(result.stdout)
    assert (receipt["manifest"], receipt["clean"]) == (str(out), True)
    assert [fold["positives"] for fold in receipt["folds"]] == [2, 2]
    assert "SECRET" not in result.output
    folds = read_manifest(out)
    assert folds.groupby("patient_id")["fold"].nunique().max() == 1
    assert to_records(folds) == to_records(frame)

    result = run("split", out, "--folds", 2, "-O", tmp_path / "other.parquet")
    assert result.stdout == f"{tmp_path / 'other.parquet'}\n"
    assert result.stderr.splitlines()[1].split() == ["0", "4", "16", "2", "12.50", "%"]
    assert (tmp_path / "other.parquet").read_bytes() == out.read_bytes() != before
    rejects = [
        folder / f"{name}_rejects.csv" for folder, name in ((tmp_path, "other"), (out.parent, "m"))
    ]
    assert rejects[0].read_bytes() == rejects[1].read_bytes()


def test_a_retry_and_split_keep_move_nobody(exams: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    run("scan", exams, "-O", out, "--labels", exams / "labels.csv", "-j", 1)
    run("split", out, "--folds", 2)
    frame = read_manifest(out)
    late = frame["patient_id"].isin(["SECRET0", "SECRET5"])
    write_manifest(frame.assign(fold=frame["fold"].where(~late)), out)
    kept = run("split", out, "--keep", "-O", tmp_path / "kept.parquet")
    assert kept.exception is None
    assert "in another one now" not in kept.stderr
    after = read_manifest(tmp_path / "kept.parquet")["fold"]
    assert after[~late].equals(frame["fold"][~late])
    assert after.notna().all()
    assert isinstance(run("split", out, "--keep", "--folds", 3).exception, ConfigError)
    moved = run("split", out, "--folds", 3).stderr
    assert " of 6 patients with a fold are in another one now" in moved.splitlines()[0]
    assert "--keep" in moved


def test_scanning_again_gives_the_same_files(exams: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    first, second = [], []
    for found, workers in ((first, 1), (second, 2)):
        assert run("scan", exams, "-O", out, "-j", workers).exception is None
        found += [path.read_bytes() for path in sorted(tmp_path.iterdir())]
    assert len(first) == 3
    assert first == second


def test_what_the_scan_wrote_is_no_input_of_the_next(mixed: Path) -> None:
    out = mixed / "m.parquet"
    assert run("scan", mixed, "-O", out, "-j", 1).exception is None
    before = {path.name: path.read_bytes() for path in mixed.glob("[mr]*.[pkc]*")}
    assert len(before) == 3
    assert run("scan", mixed, "-O", out, "-j", 1).exception is None
    assert {path.name: path.read_bytes() for path in mixed.glob("[mr]*.[pkc]*")} == before


def test_bad_inputs_cost_themselves_and_each_is_named(mixed: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    result = run("scan", mixed, "-O", out, "-j", 1, "--json")
    assert result.exception is None, result.stderr
    assert codes(tmp_path / "m_rejects.csv") == {
        "cut.dcm": "E_TRUNCATED",
        "empty.dcm": "E_EMPTY",
        "frames.dcm": "multiframe",
        "loop": "directory_loop",
        "notes.txt": "not_dicom",
        "z_copy": "duplicate",
    }
    report = json.loads(result.stdout)
    assert report["inventory"]["images"] == 3
    assert sum(report["inventory"]["inputs"].values()) == 9
    assert report["labels"] is None
    assert (report["manifest"], report["rejects"]) == (str(out), str(tmp_path / "m_rejects.csv"))
    assert read_manifest(out)["member"].tolist() == ["", "", "in/side.dcm"]


@pytest.mark.parametrize(
    ("limit", "passes"),
    [("6", True), ("5", False), ("67%", True), ("66%", False), ("0", False)],
)
def test_max_rejects_counts_inputs_without_an_image(
    mixed: Path, tmp_path: Path, limit: str, passes: bool
) -> None:
    out = tmp_path / "m.parquet"
    result = run("scan", mixed, "-O", out, "-j", 1, "--max-rejects", limit)
    assert isinstance(result.exception, type(None) if passes else RejectsError)
    assert len(read_manifest(out)) == 3  # written all the same
    assert result.stdout == (f"{out}\n" if passes else "")  # a path stands for success
    if not passes:
        assert "6 of 9 inputs" in str(result.exception)


def test_what_failed_is_tried_again(mixed: Path, tmp_path: Path) -> None:
    out, fresh = tmp_path / "m.parquet", tmp_path / "fresh.parquet"
    first = run("scan", mixed, "-O", out, "-j", 1)
    assert first.stderr.splitlines()[-1] == (
        "9 inputs: 3 ok, 4 skipped (directory_loop 1, duplicate 1, multiframe 1, not_dicom 1), "
        f"2 failed (E_EMPTY 1, E_TRUNCATED 1); mammo rejects {tmp_path}/m_rejects.csv explains them"
    )
    write_image(mixed / "cut.dcm", 7, 0)
    again = run("scan", "-O", out, "-j", 1, "--retry-failed")
    assert again.exception is None
    assert again.stdout == f"{out}\n"
    assert "2 failed inputs tried again, 1 new image" in again.stderr
    assert "9 inputs: 4 ok, 4 skipped" in again.stderr.splitlines()[-1]
    run("scan", mixed, "-O", fresh, "--id-key", tmp_path / "m.key", "-j", 1)
    assert out.read_bytes() == fresh.read_bytes()
    rejects = (tmp_path / "m_rejects.csv", tmp_path / "fresh_rejects.csv")
    assert rejects[0].read_bytes() == rejects[1].read_bytes()
    for options, said in ((["--no-hash"], "hash True, not False"), (["--frames", "mip"], "'mip'")):
        other = run("scan", "-O", out, "-j", 1, "--retry-failed", *options)
        assert isinstance(other.exception, ConfigError)
        assert said in str(other.exception)
    assert run("scan", "-O", out, "-j", 1, "--retry-failed", "--frames", "error").exit_code == 0
    report = json.loads(run("scan", "-O", out, "-j", 1, "--retry-failed", "--json").stdout)
    assert (report["retried"]["tried"], report["inventory"]["images"]) == (1, 4)
    assert run("scan", "-O", out).exit_code == 2  # without --retry-failed there must be a SRC


def test_a_second_manifest_leaves_the_rejects_of_the_first(mixed: Path, tmp_path: Path) -> None:
    run("scan", mixed, "-O", tmp_path / "m.parquet", "-j", 1)
    before = (tmp_path / "m_rejects.csv").read_bytes()
    run("scan", mixed / "a", "-O", tmp_path / "n.parquet", "-j", 1)
    assert (tmp_path / "m_rejects.csv").read_bytes() == before
    assert codes(tmp_path / "n_rejects.csv") == {}


def test_options_reach_the_reader(tmp_path: Path) -> None:
    write_image(tmp_path / "d" / "raw.dcm", 0, 0, PresentationIntentType="FOR PROCESSING")
    out, key = tmp_path / "m.parquet", tmp_path / "my.key"
    result = run("scan", tmp_path / "d", "-O", out, "-j", 1)
    assert isinstance(result.exception, DatasetError)
    assert codes(tmp_path / "m_rejects.csv") == {"raw.dcm": "for_processing"}
    assert not out.exists()
    key.write_text("ab" * 32)
    more = ("--accept-processing", "--no-hash", "--id-key", key)
    result = run("scan", tmp_path / "d", "-O", out, "-j", 1, *more)
    assert result.exception is None
    frame = read_manifest(out)
    assert frame["sha256"].tolist() == [""]
    first_id = frame["image_id"].tolist()
    (tmp_path / "m.key").unlink()
    run("scan", tmp_path / "d", "-O", tmp_path / "n.parquet", "-j", 1, *more)
    assert read_manifest(tmp_path / "n.parquet")["image_id"].tolist() == first_id
    assert not (tmp_path / "n.key").exists()


def test_the_limits_are_in_megapixels_and_mebibytes(tmp_path: Path) -> None:
    write_image(tmp_path / "d" / "big.dcm", 0, 0, Rows=1001, Columns=1000)
    folder, out = tmp_path / "d", tmp_path / "m.parquet"
    with zipfile.ZipFile(folder / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed.dcm", bytes((1 << 20) + 1))
    run("scan", folder, "-O", out, "-j", 1, "--max-pixels", 1, "--max-inflated", 1)
    assert codes(tmp_path / "m_rejects.csv") == {
        "big.dcm": "E_TOO_LARGE",
        "packed.zip": "E_TOO_LARGE",
    }
    run("scan", folder, "-O", out, "-j", 1, "--max-pixels", 2, "--max-inflated", 2)
    assert codes(tmp_path / "m_rejects.csv") == {
        "big.dcm": "E_TRUNCATED",  # as the few pixels that it has are
        "packed.zip": "not_dicom",
    }


def test_wrong_usage_is_found_before_any_file_is_read(
    exams: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the scan began")

    monkeypatch.setattr("dali_pipelines.catalog.build.scan", never)
    labels = exams / "labels.csv"
    out = tmp_path / "m.parquet"
    (tmp_path / "file").touch()
    table, twin, rejects = (tmp_path / n for n in ("t.csv", "twin.parquet", "m_rejects.csv"))
    table.touch()
    twin.symlink_to(table)
    rejects.touch()
    for args, error, message in (
        ((exams / "none", "-O", out), ConfigError, "no file or folder"),
        ((exams, "-O", out, "--max-rejects", "five"), ConfigError, "five"),
        ((exams, "-O", out, "--max-rejects", "101%"), ConfigError, "101%"),
        ((exams, "-O", tmp_path / "file" / "m.parquet"), ConfigError, "can be made"),
        ((exams, "-O", out, "--labels", labels, "--label-column", "y"), DatasetError, "'y'"),
        ((exams, "-O", out, "--labels", labels, "--adapter", "spr"), DatasetError, "Accession"),
        ((exams, "-O", out, "--adapter", "rsna"), DatasetError, "no table in"),
        ((exams, "-O", out, "--label-column", "y"), ConfigError, "--labels"),
        ((exams, "-O", out, "--id-key", labels), ConfigError, "key"),
        ((exams, "-O", labels, "--labels", labels), ConfigError, "labels.parquet"),
        ((exams, "-O", twin, "--labels", table), ConfigError, "is an input"),
        ((exams, "-O", out, "--labels", rejects), ConfigError, "is an input"),
    ):
        result = run("scan", *args)
        assert isinstance(result.exception, error), (args, result.exception)
        assert message in str(result.exception)
        assert result.stdout == ""
    assert run("scan", exams).exit_code == 2
    assert run("scan", exams, "-O", out, "--adapter", "csv").exit_code == 2
    assert run("scan", exams, "-O", out, "--labels", tmp_path / "none").exit_code == 2


def test_the_key_goes_with_the_manifest(exams: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "m.parquet", tmp_path / "s.parquet"
    run("scan", exams, "-O", out, "--labels", exams / "labels.csv", "-j", 1)
    assert run("split", out, "--folds", 2, "-O", new).exception is None
    key = tmp_path / "s.key"
    assert key.read_bytes() == (tmp_path / "m.key").read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("ab" * 32)
    before = new.read_bytes()
    result = run("split", out, "--folds", 2, "--seed", 5, "-O", new)
    assert isinstance(result.exception, ConfigError)
    assert "differ" in str(result.exception)
    assert (new.read_bytes(), key.read_text()) == (before, "ab" * 32)
    assert isinstance(run("split", out, "-O", key).exception, ConfigError)
    assert [run("split", out, "--seed", seed).exit_code for seed in (-1, 2**32)] == [2, 2]


def test_a_split_keeps_what_a_retry_needs_and_waits_for_nobody(exams: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "m.parquet", tmp_path / "s.parquet"
    labels, first = ("--labels", exams / "labels.csv"), ("--max-pixels", 7, "--no-hash", "-j", 1)
    assert run("scan", exams, "-O", out, *labels, *first).exception is None
    with alone_with(new):
        result = run("split", out, "--folds", 2, "-O", new)
    assert isinstance(result.exception, ConfigError)
    assert "another run is writing" in str(result.exception)
    assert run("split", out, "--folds", 2, "-O", new).exception is None
    assert run("split", new, "--folds", 2).exception is None
    again = ("scan", "-O", new, "--retry-failed", "-j", 1)
    result = run(*again, "--max-pixels", 8)
    assert isinstance(result.exception, ConfigError)
    assert "scanned with max_pixels 7000000, not 8000000" in str(result.exception)
    before = new.read_bytes()
    assert run(*again, "--max-pixels", 7).exception is None
    assert run(*again).exception is None
    assert new.read_bytes() == before
    result = run("scan", tmp_path / "nosuch", *again[1:])
    assert isinstance(result.exception, ConfigError)


def test_folds_without_a_positive_image_are_told(exams: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    run("scan", exams, "-O", out, "-j", 1)
    frame = read_manifest(out)
    one = frame["patient_id"] == frame["patient_id"][0]
    write_manifest(frame.assign(cancer=pd.array(one.astype(int), "Int8")), out)
    result = run("split", out, "--folds", 2)
    assert result.exception is None
    found = read_manifest(out)
    lacking = 1 - int(found.loc[one, "fold"].iloc[0])
    said = [line for line in result.stderr.splitlines() if line.startswith("warning")]
    assert said == [
        f"warning: no image with cancer 1 in fold {lacking}; no model can be judged there, "
        "ask for fewer folds or add positive patients"
    ]


def test_split_says_what_it_lacks(exams: Path, tmp_path: Path) -> None:
    result = run("split", tmp_path / "none.parquet")
    assert isinstance(result.exception, ConfigError)
    result = run("split", exams / "labels.csv")
    assert isinstance(result.exception, DatasetError)
    out = tmp_path / "m.parquet"
    run("scan", exams, "-O", out, "-j", 1)
    before = out.read_bytes()
    for more, message in (
        ((), "'cancer'"),
        (("--label", "implant", "--group", "ward"), "'ward'"),
        (("--label", "implant", "--group", "patientid"), "'patientid'. Did you mean 'patient_id'?"),
        (("--folds", 9, "--label", "implant"), "holds"),
    ):
        result = run("split", out, *more)
        assert isinstance(result.exception, DatasetError)
        assert message in str(result.exception)
    assert out.read_bytes() == before


def test_the_real_files_are_explained(shared_data: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    result = run("scan", shared_data / "mammograms", "-O", out, "-j", 1)
    assert result.exception is None, result.stderr
    assert codes(tmp_path / "m_rejects.csv") == {"jpeg2k_3d.dcm": "multiframe"}
    frame = read_manifest(out)
    named = dict(zip([Path(path).name for path in frame["path"]], to_records(frame), strict=True))
    assert named["GH133.dcm"].stream.precision == 16
    assert named["GH133.dcm"].tags.bits_stored == 12
    assert len(named["MG1_J2KI.dcm"].location.fragments) == 41


def test_the_commands_load_nothing_heavy_for_help() -> None:
    script = (
        "import sys, cli.scan, cli.split; sys.exit(any(m in sys.modules for m in sys.argv[1:]))"
    )
    heavy = ["numpy", "pandas", "pyarrow", "pydicom", "sklearn", "torch"]
    assert os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", script, *heavy]) == 0
