"""The folder as a whole: its tables, its determinism, and what it refuses to overwrite."""

import csv
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.encode import SYNTAXES
from dali_pipelines.phantom.exams import PhantomSet, write_phantoms
from dali_pipelines.phantom.patients import (
    PhantomSettings,
    choose_coding,
    draw_patient,
    positive_numbers,
)

SMALL = PhantomSettings(patients=9, prevalence=0.45, height=96, width=80, seed=3, workers=2)


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> PhantomSet:
    return write_phantoms(tmp_path_factory.mktemp("exams") / "set", SMALL)


def test_each_row_agrees_with_the_header_of_its_file(exams: PhantomSet) -> None:
    rows = read(exams.labels)
    assert (exams.patients, exams.files, len(rows)) == (9, 36, 36)
    assert len(list(exams.images.rglob("*.dcm"))) == 36
    for row in rows:
        header = pydicom.dcmread(exams.labels.parent / row["file"], stop_before_pixels=True)
        assert header.SOPInstanceUID == row["image_id"] == Path(row["file"]).stem
        assert header.StudyInstanceUID == row["study_id"]
        assert header.PatientID == row["patient_id"] == Path(row["file"]).parent.name
        assert (header.ImageLaterality, header.ViewPosition) == (row["laterality"], row["view"])
        assert header.PatientAge == f"{int(row['age']):03d}Y"
        assert header.Manufacturer == "Phantom " + "ABCDEF"[int(row["machine_id"]) - 1]
        assert row["density"] in "ABCD"


def test_cancer_is_in_one_breast_and_on_both_its_views(exams: PhantomSet) -> None:
    rows = read(exams.labels)
    assert exams.positives == round(9 * 0.45)
    assert sum(row["cancer"] == "1" for row in rows) == 2 * exams.positives
    for patient in {row["patient_id"] for row in rows}:
        hers = [row for row in rows if row["patient_id"] == patient]
        assert sorted((row["laterality"], row["view"]) for row in hers) == [
            ("L", "CC"), ("L", "MLO"), ("R", "CC"), ("R", "MLO"),
        ]  # fmt: skip
        assert len({row["study_id"] for row in hers}) == 1
        sick = [row["laterality"] for row in hers if row["cancer"] == "1"]
        assert sick in ([], ["L", "L"], ["R", "R"])


def test_lesions_belong_to_the_positive_images_and_lie_within(exams: PhantomSet) -> None:
    positive = {row["image_id"] for row in read(exams.labels) if row["cancer"] == "1"}
    lesions = read(exams.lesions)
    assert {row["image_id"] for row in lesions} == positive
    assert {row["kind"] for row in lesions} <= {"mass", "calcification"}
    for row in lesions:
        assert 0 < float(row["row_px"]) < SMALL.height
        assert 0 < float(row["column_px"]) < SMALL.width
        assert 0 < float(row["radius_px"]) < SMALL.height / 10


def test_the_number_of_workers_does_not_change_a_byte(exams: PhantomSet, tmp_path: Path) -> None:
    write_phantoms(tmp_path / "again", dataclasses.replace(SMALL, workers=1))
    assert digests(tmp_path / "again") == digests(exams.labels.parent)


def test_another_seed_changes_every_image(exams: PhantomSet, tmp_path: Path) -> None:
    other = write_phantoms(tmp_path / "other", dataclasses.replace(SMALL, patients=2, seed=4))
    assert not {row["image_id"] for row in read(other.labels)} & {
        row["image_id"] for row in read(exams.labels)
    }


def test_mixed_holds_every_syntax_and_every_predictor(exams: PhantomSet) -> None:
    headers = [pydicom.dcmread(path) for path in exams.images.rglob("*.dcm")]
    assert {h.file_meta.TransferSyntaxUID for h in headers} == set(SYNTAXES.values())
    codings = [choose_coding(SMALL, number) for number in range(17)]
    assert {c.syntax for c in codings} == set(SYNTAXES)
    assert {c.predictor for c in codings if c.syntax == "jpeg_lossless"} == set(range(2, 8))
    lossless = [c for c in codings if c.syntax.startswith("jpeg_")]
    assert {c.tables_first for c in lossless} == {True, False}
    assert {c.offset_table for c in codings} == {"basic", "empty"}


@pytest.mark.parametrize("syntax", sorted(SYNTAXES))
def test_one_syntax_is_kept_to(syntax: str, tmp_path: Path) -> None:
    settings = PhantomSettings(patients=2, height=64, width=64, syntax=syntax, workers=1)
    exams = write_phantoms(tmp_path, settings)
    headers = [pydicom.dcmread(path) for path in exams.images.rglob("*.dcm")]
    assert {h.file_meta.TransferSyntaxUID for h in headers} == {SYNTAXES[syntax]}


def test_progress_counts_every_file(tmp_path: Path) -> None:
    counts: list[int] = []
    write_phantoms(tmp_path, dataclasses.replace(SMALL, patients=3), counts.append)
    assert counts == [4, 4, 4]


def test_a_strange_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(ConfigError, match=r"is not empty and holds no phantom\.json"):
        write_phantoms(tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ConfigError, match="is a file"):
        write_phantoms(tmp_path / "thesis.txt", SMALL)


def test_an_older_set_is_replaced_and_strange_files_in_it_stay(tmp_path: Path) -> None:
    first = write_phantoms(tmp_path, dataclasses.replace(SMALL, patients=3))
    (first.images / "mine.dcm").write_bytes(b"mine")
    second = write_phantoms(tmp_path, dataclasses.replace(SMALL, patients=1, seed=8))
    assert {path.name for path in second.images.rglob("*.dcm")} == {
        "mine.dcm", *(row["image_id"] + ".dcm" for row in read(second.labels)),
    }  # fmt: skip
    assert [folder.name for folder in second.images.glob("PHANTOM-*")] == ["PHANTOM-8-00000"]
    assert json.loads((tmp_path / "phantom.json").read_text())["seed"] == 8


def test_a_failed_run_leaves_no_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write_phantoms(tmp_path, dataclasses.replace(SMALL, patients=1))
    monkeypatch.setattr("dali_pipelines.phantom.exams.write_dicom", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_phantoms(tmp_path, SMALL)
    assert not (tmp_path / "labels.csv").exists()


def test_positives_are_the_rounded_share_and_independent_of_the_vendor() -> None:
    settings = PhantomSettings(patients=600, prevalence=0.5)
    positive = positive_numbers(settings)
    assert len(positive) == 300
    for vendor in range(6):
        assert 30 < sum(number % 6 == vendor for number in positive) < 70
    sides = [draw_patient(settings, number).cancer_side for number in range(60)]
    assert {"L", "R", ""} == set(sides)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patients": 0}, "at least 1"),
        ({"prevalence": 1.5}, "within 0 and 1"),
        ({"height": 63}, "64 to 16,384"),
        ({"syntax": "jpeg_ls"}, "Did you mean 'jpegls'"),
        ({"seed": -1}, "must not be negative"),
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        PhantomSettings(**change)
