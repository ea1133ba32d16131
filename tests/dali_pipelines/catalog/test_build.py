"""write_catalog: labels that do not fit cost the labels, not the scan."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.catalog.scan import ScanOptions
from dali_pipelines.errors import DatasetError
from dali_pipelines.manifest import read_manifest

NewDicom = Callable[..., Any]


@pytest.fixture
def settings(new_dicom: NewDicom, tmp_path: Path) -> CatalogSettings:
    """Two images in the folder `images`, and labels yet to be written."""
    (tmp_path / "images").mkdir()
    for uid in ("1.2.1", "1.2.2"):
        new_dicom(SOPInstanceUID=uid, PatientID=f"ANON{uid}").write(tmp_path / "images" / uid)
    return CatalogSettings(
        tmp_path / "m.parquet", labels=(tmp_path / "labels.csv",), scan=ScanOptions(workers=1)
    )


def labels_path(settings: CatalogSettings) -> Path:
    return settings.labels[0]


def test_rows_that_contradict_each_other_are_found_before_the_scan(
    settings: CatalogSettings,
) -> None:
    labels_path(settings).write_text("image_id,cancer\n1.2.1,1\n1.2.1,0\n")
    with pytest.raises(DatasetError, match="contradict"):
        plan_catalog([settings.manifest.parent / "images"], settings)
    assert not settings.manifest.exists()


def test_labels_of_other_images_leave_a_manifest_without_labels(settings: CatalogSettings) -> None:
    labels_path(settings).write_text("image_id,cancer\n9.9,1\n")
    plan = plan_catalog([settings.manifest.parent / "images"], settings)
    with pytest.raises(DatasetError, match=r"none of the 1 labels .*without labels was kept"):
        write_catalog(plan)
    frame = read_manifest(settings.manifest)
    assert frame["sop_instance_uid"].tolist() == ["1.2.1", "1.2.2"]
    assert "cancer" not in frame.columns
    assert settings.rejects.exists()


def test_verdicts_are_those_of_the_manifest_with_labels(
    settings: CatalogSettings, new_dicom: NewDicom
) -> None:
    folder = settings.manifest.parent / "images"
    new_dicom(SOPInstanceUID="1.2.3", ImageLaterality=None).write(folder / "1.2.3")
    (folder / "notes.txt").write_text("no image")
    labels_path(settings).write_text("image_id,laterality,cancer\n1.2.1,R,1\n1.2.3,L,0\n")
    catalog = write_catalog(plan_catalog([folder], settings))
    flagged = (catalog.frame["status"] == "flagged").sum()
    assert flagged == 1, "the table fills the gap of one image and contradicts another"
    assert (catalog.counts.ok, catalog.counts.flagged, catalog.counts.skipped) == (2, 1, 1)


def test_the_label_tables_patient_reaches_the_manifest(settings: CatalogSettings) -> None:
    labels_path(settings).write_text("image_id,patient_id,cancer\n1.2.1,P1,1\n1.2.2,P1,0\n")
    write_catalog(plan_catalog([settings.manifest.parent / "images"], settings))
    frame = read_manifest(settings.manifest)
    assert frame["patient_id"].tolist() == ["ANON1.2.1", "ANON1.2.2"]
    assert frame["label_patient_id"].tolist() == ["P1", "P1"]
