"""`mammo montage`: sheets, a table of boxes to edit, and no word of a patient."""

import csv
import json
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import dali_pipelines.inspection.boxed_images
from cli.montage import command
from dali_pipelines.errors import ConfigError, DatasetError, RejectsError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.rejects.table import read_rejects
from dali_pipelines.review import read_review
from tests.pool_without_children import PoolWithoutChildren


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_pipelines.inspection.boxed_images, "DecodePool", PoolWithoutChildren)


@pytest.fixture
def rows(phantom_manifest: Path) -> pd.DataFrame:
    return read_manifest(phantom_manifest)


def run(*args: str | Path) -> Result:
    shown = [*map(str, args), "--recipe", "demo", "--set", "resize.size=[64,52]", "-j", "1"]
    return CliRunner().invoke(command, shown, standalone_mode=False)


def table(out: Path) -> list[dict[str, str]]:
    with (out / "boxes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_worst_come_first(phantom_manifest: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "all"
    result = run(phantom_manifest, "-O", out, "--among", "10", "--count", "5", "--per-page", "3")
    assert result.exception is None
    assert result.stdout == f"{out / 'sheet-001.png'}\n{out / 'sheet-002.png'}\n"
    assert "10 inputs: " in result.stderr
    few = [float(row["quality"]) for row in table(out)]
    assert len(few) == 5
    assert few == sorted(few)
    run(phantom_manifest, "-O", tmp_path / "ten", "--among", "10", "--count", "10")
    every = [float(row["quality"]) for row in table(tmp_path / "ten")]
    assert few == every[:5]
    with Image.open(out / "sheet-001.png") as picture:
        assert picture.info == {}


def test_the_table_can_be_given_back(
    rows: pd.DataFrame, phantom_manifest: Path, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    by = ("--by", "random", "--count", "3", "--seed", "4")
    run(phantom_manifest, "-O", first, *by)
    review = read_review(first / "boxes.csv")
    assert len(review.boxes) == 3
    assert set(review.boxes) < set(rows["image_id"])
    edited = (first / "boxes.csv").read_text().splitlines()
    name = edited[1].split(",")[0]
    (tmp_path / "edited.csv").write_text(f"{edited[0]}\n{name},5,50,6,70,1,,\n")
    result = run(phantom_manifest, "-O", second, *by, "--review", tmp_path / "edited.csv", "--json")
    facts = json.loads(result.stdout)
    assert facts["sheets"] == [str(second / "sheet-001.png")]
    sides = ("image_id", "top", "bottom", "left", "right", "mirror")
    was, now = ([{k: row[k] for k in sides} for row in table(out)] for out in (first, second))
    assert now[1:] == was[1:]
    assert list(now[0].values()) == [name, "5", "50", "6", "70", "1"]
    assert now[0] != was[0]


def test_a_table_that_may_have_been_edited_stays(phantom_manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("edited")
    result = run(phantom_manifest, "-O", tmp_path, "--by", "random", "--count", "1")
    assert isinstance(result.exception, ConfigError)
    assert (tmp_path / "boxes.csv").read_text() == "edited"


def test_labels_and_groups(rows: pd.DataFrame, phantom_manifest: Path, tmp_path: Path) -> None:
    labels = rows.set_index("image_id")["cancer"]
    assert (
        run(phantom_manifest, "-O", tmp_path / "a", "--by", "label", "--count", "4").exception
        is None
    )
    assert [labels[row["image_id"]] for row in table(tmp_path / "a")] == [1, 1, 0, 0]
    assert (
        run(phantom_manifest, "-O", tmp_path / "b", "--by", "site", "--count", "3").exception
        is None
    )
    makers = rows.set_index("image_id")["manufacturer"]
    assert len({makers[row["image_id"]] for row in table(tmp_path / "b")}) == 3


def test_files_have_no_labels(rows: pd.DataFrame, tmp_path: Path) -> None:
    result = run(*rows["path"][:2], "-O", tmp_path / "a", "--by", "label")
    assert isinstance(result.exception, DatasetError)
    assert run(*rows["path"][:2], "-O", tmp_path / "b").exception is None
    assert len(table(tmp_path / "b")) == 2


def test_nothing_of_the_patient_gets_out(
    rows: pd.DataFrame, phantom_manifest: Path, tmp_path: Path
) -> None:
    result = run(phantom_manifest, "-O", tmp_path / "p", "--by", "random", "--count", "2")
    written = [path.read_bytes() for path in (tmp_path / "p").iterdir()]
    out = b"".join(written) + result.stdout.encode() + result.stderr.encode()
    for column in ("patient_id", "sop_instance_uid", "study_instance_uid", "path"):
        assert not any(str(cell).encode() in out for cell in rows[column])


def test_what_gives_no_picture_has_a_verdict(rows: pd.DataFrame, tmp_path: Path) -> None:
    manifest = tmp_path / "m.parquet"
    write_manifest(rows[:3].assign(path=[*rows["path"][:2], "/gone/secret"]), manifest)
    for by in ("worst", "random"):
        result = run(manifest, "-O", tmp_path / by, "--by", by)
        assert isinstance(result.exception, RejectsError)
        assert f"{rows['image_id'][2]}: E_IO: " in result.stderr
        assert "secret" not in result.stderr
        assert len(table(tmp_path / by)) == 2
        assert len(read_rejects(tmp_path / f"{by}_rejects.csv")) == 1


def test_options_that_do_not_go_together(phantom_manifest: Path, tmp_path: Path) -> None:
    result = run(phantom_manifest, "-O", tmp_path, "--by", "site", "--among", "3")
    assert isinstance(result.exception, click.UsageError)
