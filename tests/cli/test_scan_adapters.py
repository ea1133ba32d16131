"""`mammo scan` with the tables of data sets: recognized, rules printed, joined to real files."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cli.scan import ADAPTERS
from cli.scan import command as scan
from dali_pipelines import adapters
from dali_pipelines.manifest import read_manifest
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from tests.dali_pipelines.adapters.test_named_sets import CBIS, CBIS_SERIES


def run(*args: object) -> Result:
    return CliRunner().invoke(scan, [str(arg) for arg in args])


def write_cbis(root: Path) -> tuple[Path, Path]:
    """Folders of films and crops as in the archive, and a folder with its tables."""
    for number, name in enumerate(CBIS_SERIES):
        header = HeaderSpec(
            patient_id=name, study_uid=f"2.25.1{number}", sop_uid=f"2.25.2{number}", laterality=""
        )
        path = root / "CBIS-DDSM" / name / "2.25.3" / "2.25.4" / "1-1.dcm"
        path.parent.mkdir(parents=True)
        write_dicom(path, np.arange(48, dtype=np.uint16).reshape(8, 6) + number, header)
    (root / "tables").mkdir()
    for name, text in CBIS.items():
        (root / "tables" / name).write_text(text)
    return root / "CBIS-DDSM", root / "tables"


def test_the_adapters_of_the_command_are_those_there_are() -> None:
    assert ADAPTERS == adapters.ADAPTERS


def test_the_list_of_adapters_needs_nothing_else() -> None:
    result = run("--list-adapters")
    assert result.exit_code == 0
    assert result.stdout == adapters.describe_adapters() + "\n"


def test_a_folder_of_tables_is_recognized_and_its_rule_printed(tmp_path: Path) -> None:
    images, tables = write_cbis(tmp_path)
    out = tmp_path / "m.parquet"
    result = run(images, "-O", out, "--labels", tables, "--adapter", "auto", "-j", 1, "--json")
    assert result.exception is None, result.stderr
    told = "patient_id, left or right breast, image view, abnormality id, pathology"
    said = result.stderr.splitlines()
    assert f"'mass_case_description_train_set.csv' has the columns {told}" in said[0]
    assert said[0].startswith("adapter cbis-ddsm (CBIS-DDSM): ")
    assert said[1].startswith("label rule cbis-ddsm/cancer: any MALIGNANT abnormality")
    document = json.loads(result.stdout)
    assert document["inventory"]["images"] == 7
    labels = document["labels"]
    assert labels["adapter"] == "cbis-ddsm"
    assert labels["rule"].startswith("cancer: any MALIGNANT")
    assert labels["labeled_images"] == 5
    frame = read_manifest(out).set_index("sop_instance_uid").sort_index()
    assert frame["patient_id"].tolist() == [series[0] for series in CBIS_SERIES.values()]
    assert frame["laterality"].tolist() == [series[1] for series in CBIS_SERIES.values()]
    assert frame["cancer"].fillna(-1).tolist() == [1, -1, 0, 1, 1, 0, -1]
    assert frame["dataset"].tolist() == ["cbis-ddsm"] * 7
    assert not frame["flags"].map(lambda flags: "no_laterality" in flags).any()


def test_tables_are_looked_for_in_the_sources(tmp_path: Path) -> None:
    images, tables = write_cbis(tmp_path)
    for table in tables.iterdir():
        table.rename(images / table.name)
    (images / "notes.csv").write_text("a,b\n1,2\n")
    out = tmp_path / "m.parquet"
    result = run(images, "-O", out, "--adapter", "auto", "-j", 1)
    assert result.exception is None, result.stderr
    assert "5 images labeled" in result.stderr
    rejects = (tmp_path / "m_rejects.csv").read_text().splitlines()
    assert len(rejects) == 2  # the tables were read as labels; a file that is none is an input
    assert "notes.csv" in rejects[1]
    (images / "calc_case_description_test_set.csv").unlink()
    (images / "mass_case_description_train_set.csv").unlink()
    result = run(images, "-O", out, "--adapter", "auto", "-j", 1)
    assert "no table in 'CBIS-DDSM' is of a data set known" in str(result.exception)


def test_a_named_adapter_looks_in_the_sources_too(tmp_path: Path) -> None:
    images, tables = write_cbis(tmp_path)
    for table in tables.iterdir():
        table.rename(images / table.name)
    out = tmp_path / "m.parquet"
    result = run(images, "-O", out, "--adapter", "cbis-ddsm", "-j", 1)
    assert result.exception is None, result.stderr
    assert "5 images labeled" in result.stderr
    result = run(images, "-O", out, "--adapter", "vindr", "-j", 1)
    assert "no table in 'CBIS-DDSM' has the columns of 'vindr'" in str(result.exception)


@pytest.mark.parametrize("adapter", ["auto", "rsna", "csv"])
def test_a_table_in_an_archive_is_to_be_unpacked(tmp_path: Path, adapter: str) -> None:
    with zipfile.ZipFile(tmp_path / "rsna.zip", "w") as archive:
        archive.writestr("train.csv", "image_id,cancer\n")
    result = run(tmp_path / "rsna.zip", "-O", tmp_path / "m.parquet", "--adapter", adapter)
    assert result.exit_code == 2
    assert f"--adapter {adapter} has no table of labels to read" in result.stderr
    assert "not from archives; name the table, unpacked, with --labels" in result.stderr


def test_pictures_of_mias_are_sound_once_their_table_is_joined(tmp_path: Path) -> None:
    (tmp_path / "mias").mkdir()
    for name in ("mdb001", "mdb002"):
        picture = b"P5 3 2 255\n" + name.encode()
        (tmp_path / "mias" / f"{name}.pgm").write_bytes(picture)
    (tmp_path / "mias" / "Info.txt").write_text("mdb001 G CIRC B 535 425 197\nmdb002 G NORM\n")
    out = tmp_path / "m.parquet"
    result = run(tmp_path / "mias", "-O", out, "--adapter", "mias", "-j", 1, "--json")
    assert result.exception is None, result.stderr
    inventory = json.loads(result.stdout)["inventory"]
    assert inventory["syntax"] == {"PGM": 2}
    assert inventory["inputs"]["ok"] == 2
    assert inventory["flag"] == {}


def test_a_retry_says_its_rule_too(tmp_path: Path) -> None:
    images, tables = write_cbis(tmp_path)
    out = tmp_path / "m.parquet"
    tables = [part for path in sorted(tables.iterdir()) for part in ("--labels", path)]
    assert run(images, "-O", out, "--no-hash", "-j", 1).exception is None
    result = run("-O", out, "--retry-failed", *tables, "--adapter", "cbis-ddsm", "-j", 1)
    assert result.exception is None, result.stderr
    assert "label rule cbis-ddsm/cancer: " in result.stderr.splitlines()[0]
    assert read_manifest(out)["cancer"].sum() == 3


def test_settings_that_need_labels_say_so(tmp_path: Path) -> None:
    out = tmp_path / "m.parquet"
    result = run(tmp_path, "-O", out, "--label-rule", "recall")
    assert "--label-rule 'recall' needs --labels" in str(result.exception)
    result = run(tmp_path, "-O", out, "--labels", tmp_path, "--adapter", "nyu")
    assert result.exit_code == 2
    assert "'nyu' is not one of 'auto', 'csv', 'rsna'" in result.stderr
