"""`mammo combine` on two scanned folders, and what split and rejects make of the result."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.combine import command as combine
from cli.scan import command as scan
from cli.split import command as split
from dali_pipelines.errors import ConfigError
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.reader import read_encoded
from dali_pipelines.rejects.table import read_rejects


def write_set(folder: Path, first: int) -> Path:
    """A folder of six patients 0 ... 5 with one image each, and their labels."""
    rows = ["image_id,cancer"]
    folder.mkdir()
    for patient in range(6):
        values = np.arange(48, dtype=np.uint16).reshape(8, 6) + 7 * (first + patient)
        uid = f"2.25.{first + patient}"
        header = HeaderSpec(patient_id=f"{patient}", study_uid=f"{uid}.1", sop_uid=uid)
        write_dicom(folder / f"{patient}.dcm", values, header)
        rows.append(f"{uid},{patient % 2}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")
    return folder


def run(command: object, *args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """The manifests a.parquet and b.parquet; b has one image of a under its own name."""
    write_set(tmp_path / "a", 100)
    write_set(tmp_path / "b", 200)
    shutil.copy(tmp_path / "a" / "0.dcm", tmp_path / "b" / "copy.dcm")
    for name in "ab":
        labels = tmp_path / name / "labels.csv"
        found = run(
            scan, tmp_path / name, "--labels", labels, "-O", tmp_path / f"{name}.parquet", "-j", 1
        )
        assert found.exit_code == 0
    return tmp_path


def test_two_sets_become_one_that_splits_by_patient(sets: Path) -> None:
    out = sets / "all.parquet"
    parts = [f"one={sets / 'a.parquet'}", f"two={sets / 'b.parquet'}"]
    found = run(combine, *parts, "-O", out, "--json")
    warning = (
        "6 patient ids in more than one set, taken for different patients; scan the parts of one "
        "data set together, or folds may share patients"
    )
    assert json.loads(found.stdout) == {
        "manifest": str(out), "images": {"one": 6, "two": 6}, "repeated": 1, "warnings": [warning],
    }  # fmt: skip
    assert found.stderr.splitlines() == [
        "one: 6 images", "two: 6 images", "1 repeated file left out", f"warning: {warning}",
    ]  # fmt: skip
    assert run(split, out, "--folds", 2).exit_code == 0
    frame = read_manifest(out)
    assert frame["patient_id"].nunique() == 12
    assert all(read_encoded(record).data.size for record in to_records(frame))
    rejects = read_rejects(sets / "all_rejects.csv")
    assert [r.reason.value for r in rejects if r.path.endswith("copy.dcm")] == ["duplicate"]


def test_the_result_is_never_one_of_the_parts(sets: Path) -> None:
    with pytest.raises(ConfigError, match="is an input"):
        run(combine, f"a={sets}/a.parquet", f"b={sets}/b.parquet", "-O", sets / "a.parquet")
