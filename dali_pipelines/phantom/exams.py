"""A folder of synthetic screening exams with its labels, and the places of the lesions beside them.

    OUT/images/<patient_id>/<image_id>.dcm    OUT/labels.csv    OUT/lesions.csv    OUT/phantom.json

phantom.json is written first and marks the folder as ours, labels.csv last: it means complete.
"""

import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from dali_pipelines.cores import core_count
from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.detector import VENDORS
from dali_pipelines.phantom.patients import IMAGES, ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import Picture, draw_picture
from dali_pipelines.phantom.write import write_dicom

LABEL_COLUMNS: Final = (
    "site_id",
    "patient_id",
    "image_id",
    "study_id",
    "laterality",
    "view",
    "age",
    "cancer",
    "implant",
    "density",
    "machine_id",
    "file",
)
LESION_COLUMNS: Final = (
    "image_id",
    "patient_id",
    "laterality",
    "view",
    "kind",
    "row_px",
    "column_px",
    "radius_px",
)
_MARKER, _IMAGES, _LABELS, _LESIONS = "phantom.json", "images", "labels.csv", "lesions.csv"

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PhantomSet:
    """Where the set lies, and what is in it; `positives` counts patients."""

    images: Path
    labels: Path
    lesions: Path
    patients: int
    positives: int
    files: int

    def to_dict(self) -> dict[str, str | int]:
        """Plain values, paths as text."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in dataclasses.asdict(self).items()
        }


def write_phantoms(
    out: Path, settings: PhantomSettings, on_images: Callable[[int], object] = lambda _count: None
) -> PhantomSet:
    """Write the set that `settings` describe; `on_images` gets the number of files just finished.

    The same settings give the same bytes, with any number of workers. A phantom folder is written
    anew; ConfigError if `out` holds anything else.
    """
    _prepare(out, settings)
    labels: list[Row] = []
    lesions: list[Row] = []
    # Threads: at detector size the work is done in NumPy and the encoders, which release the GIL.
    pool = ThreadPoolExecutor(settings.workers or core_count())
    try:
        for rows, marks in pool.map(
            partial(_write_patient, out, settings), range(settings.patients)
        ):
            labels.extend(rows)
            lesions.extend(marks)
            on_images(len(rows))
    finally:
        pool.shutdown(cancel_futures=True)
    _write_table(out / _LESIONS, LESION_COLUMNS, lesions)
    _write_table(out / _LABELS, LABEL_COLUMNS, labels)
    return PhantomSet(
        images=out / _IMAGES,
        labels=out / _LABELS,
        lesions=out / _LESIONS,
        patients=settings.patients,
        positives=len({row["patient_id"] for row in labels if row["cancer"]}),
        files=len(labels),
    )


def _prepare(out: Path, settings: PhantomSettings) -> None:
    """An empty phantom folder; what an earlier run wrote is removed, and nothing else is."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{str(out)!r} is a file; give a folder to write the phantoms to")
    marker = out / _MARKER
    if out.is_dir() and any(out.iterdir()) and not marker.is_file():
        raise ConfigError(
            f"{str(out)!r} is not empty and holds no {_MARKER}; give a new folder or an older set"
        )
    out.mkdir(parents=True, exist_ok=True)
    for old in (out / _LABELS, out / _LESIONS):
        old.unlink(missing_ok=True)
    for folder in (out / _IMAGES).glob("PHANTOM-*"):
        for old in folder.glob("2.25.*.dcm"):
            old.unlink()
        if not any(folder.iterdir()):
            folder.rmdir()
    content = dataclasses.asdict(settings)
    del content["workers"]  # has no part in what the files hold
    marker.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_patient(
    out: Path, settings: PhantomSettings, number: int
) -> tuple[list[Row], list[Row]]:
    """Write a patient's images; return her rows of labels.csv and lesions.csv."""
    patient = draw_patient(settings, number)
    folder = out / _IMAGES / patient.patient_id
    folder.mkdir(parents=True, exist_ok=True)
    labels: list[Row] = []
    lesions: list[Row] = []
    for index in range(len(IMAGES)):
        plan = ImagePlan(patient, index)
        picture = draw_picture(settings, plan)
        path = folder / f"{picture.header.sop_uid}.dcm"
        write_dicom(path, picture.values, picture.header)
        labels.append(_label_row(plan, picture, path.relative_to(out).as_posix()))
        lesions.extend(_lesion_rows(plan, picture))
    return labels, lesions


def _label_row(plan: ImagePlan, picture: Picture, file: str) -> Row:
    patient = plan.patient
    return _identity(plan, picture) | {
        "site_id": 1,
        "study_id": patient.study_uid,
        "age": patient.age_years,
        "cancer": int(plan.has_cancer),
        "implant": 0,
        "density": patient.density,
        "machine_id": VENDORS.index(patient.vendor) + 1,
        "file": file,
    }


def _lesion_rows(plan: ImagePlan, picture: Picture) -> list[Row]:
    identity = _identity(plan, picture)
    return [identity | dataclasses.asdict(mark) for mark in picture.marks]


def _identity(plan: ImagePlan, picture: Picture) -> Row:
    return {
        "image_id": picture.header.sop_uid,
        "patient_id": plan.patient.patient_id,
        "laterality": plan.side,
        "view": plan.view,
    }


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
