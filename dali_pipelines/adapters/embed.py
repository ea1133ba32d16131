"""EMBED open data: the clinical table, one row a finding, and the metadata table, one row an image.

A finding is of the breast in `side`; B or nothing there means both. A breast without a finding in
an exam of both breasts (`desc` says bilat) is negative, which the table leaves out. Without the
metadata table, images are found by the accession number and side of their headers or folders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from dali_pipelines.adapters.labels import (
    BIRADS_BY_WEIGHT,
    Labels,
    file_stem,
    merge,
    parent_folder,
    read_densities,
    read_views,
    worst,
)
from dali_pipelines.adapters.table import Rows, Table, only
from dali_pipelines.errors import ConfigError, DatasetError

COLUMNS: Final = frozenset(  # all that is read, of more than a hundred
    (
        *("empi_anon", "acc_anon", "desc", "tissueden", "asses", "side", "bside", "path_severity"),
        *("anon_dicom_path", "imagelateralityfinal", "viewposition"),
    )
)
_SIDES: Final = ("L", "R", "B", "")  # of an image; B shows both, "" is not stated
_BI_RADS: Final = {"A": 0, "N": 1, "B": 2, "P": 3, "S": 4, "M": 5, "K": 6}
_ASSESSMENTS: Final = {**_BI_RADS, "X": None}
_NEGATIVE: Final = (1, 2)
_SEVERITIES: Final = {str(severity): severity for severity in range(7)}
_CANCER: Final = (0, 1)  # invasive, non-invasive
_OTHER_CANCER: Final = 6  # of another organ: says nothing of the breast
_EITHER: Final = ("B", "")  # in the place of a side


@dataclass(frozen=True, slots=True)
class _Finding:
    side: str
    assessment: int | None
    severity: int | None
    severity_side: str

    def of(self, breast: str) -> bool:
        return self.side in (breast, *_EITHER)


@dataclass(slots=True)
class _Exam:
    patient: str
    density: str
    rows: list[Rows] = field(default_factory=list)
    findings: list[_Finding] = field(default_factory=list)
    bilateral: bool = False

    def label(self, side: str, rule: str) -> int | None:
        """The label of an image of that side, one of _SIDES."""
        judge = {"cancer": self._cancer, "recall": self._recall}[rule]
        if side in ("L", "R"):
            return judge(side)
        both = [judge("L"), judge("R")]
        return worst(both) if side == "B" or both[0] == both[1] else None

    def birads(self, side: str) -> int | None:
        """The worst assessment of the breast, in BI-RADS; of either one if the side is neither."""
        found = [f for f in self.findings if side in _EITHER or f.of(side)]
        grades = [f.assessment for f in found if f.assessment is not None]
        return max(grades, key=BIRADS_BY_WEIGHT.index, default=None)

    def _recall(self, breast: str) -> int | None:
        found = [f.assessment for f in self.findings if f.of(breast)]
        if not found:
            return 0 if self.bilateral else None
        return worst([None if grade is None else int(grade not in _NEGATIVE) for grade in found])

    def _cancer(self, breast: str) -> int | None:
        own = self._severities(breast)
        either = [severity for side in _EITHER for severity in self._severities(side)]
        if any(severity in _CANCER for severity in own):
            return 1
        if any(severity in _CANCER for severity in either):
            return None  # it may be of the other breast
        if proved := [*own, *either]:
            return None if min(proved) == _OTHER_CANCER else 0
        return 0 if self._recall(breast) == 0 else None

    def _severities(self, side: str) -> list[int]:
        """What pathology found on just that side, one of _SIDES."""
        found = [f.severity for f in self.findings if f.severity_side == side]
        return [severity for severity in found if severity is not None]


def read_labels(tables: Sequence[Table], rule: str) -> Labels:
    """The labels by a rule, of each image of the metadata table, or of each exam and side."""
    clinical = [table for table in tables if "asses" in table]
    metadata = [table for table in tables if "anon_dicom_path" in table]
    if not clinical:
        raise ConfigError("the adapter 'embed' needs the clinical table, with the column 'asses'")
    exams = _read_exams(only(clinical), rule)
    _require_one_patient(tables)
    return _of_images(only(metadata), exams, rule) if metadata else _of_exams(exams, rule)


def _require_one_patient(tables: Sequence[Table]) -> None:
    """DatasetError where an accession number is of two patients, be it of two tables."""
    owners: dict[str, str] = {}
    for table in tables:
        pairs = enumerate(zip(table.names("acc_anon"), table.texts("empi_anon"), strict=True))
        odd = [i for i, (exam, who) in pairs if who and owners.setdefault(exam, who) != who]
        table.require_none(odd, "an exam in column 'acc_anon' must be of one patient")


def _read_exams(table: Table, rule: str) -> dict[str, _Exam]:
    """The exams by accession number."""
    count = len(table.lines)
    severities: list[int | None] = [None] * count
    if rule == "cancer":
        severities = table.codes("path_severity", _SEVERITIES)
    sides = table.sides("side")
    proved_on = table.sides("bside") if "bside" in table else sides
    descriptions = table.texts("desc") if "desc" in table else [""] * count
    columns = zip(
        table.names("acc_anon"),
        table.texts("empi_anon"),
        read_densities(table, "tissueden") if "tissueden" in table else [""] * count,
        table.rows,
        descriptions,
        sides,
        table.codes("asses", _ASSESSMENTS),
        severities,
        [at or side for at, side in zip(proved_on, sides, strict=True)],
        strict=True,
    )
    exams: dict[str, _Exam] = {}
    for accession, patient, density, rows, description, *finding in columns:
        exam = exams.setdefault(accession, _Exam(patient, density))
        exam.rows.append(rows)
        exam.findings.append(_Finding(*finding))
        exam.bilateral |= "bilat" in description.lower()
    return exams


def _of_images(table: Table, exams: Mapping[str, _Exam], rule: str) -> Labels:
    """By file name: the SOP Instance UID that the metadata table's paths end in.

    DatasetError where the two tables have no exam in common.
    """
    accessions = table.names("acc_anon")
    if exams.keys().isdisjoint(accessions):
        raise DatasetError(
            f"no exam of {table.path.name!r} is in the clinical table; check that both write "
            "'acc_anon' in the same way"
        )
    sides = table.sides("ImageLateralityFinal")
    pairs = [
        (exams.get(accession), side) for accession, side in zip(accessions, sides, strict=True)
    ]
    columns: dict[str, list[Any]] = {
        "cancer": [exam.label(side, rule) if exam else None for exam, side in pairs],
        "birads": [exam.birads(side) if exam else None for exam, side in pairs],
        "density": [exam.density if exam else "" for exam, _ in pairs],
        "patient_id": table.texts("empi_anon"),
        "exam_id": accessions,
        "laterality": sides,
    }
    if "ViewPosition" in table:
        columns["view"] = read_views(table, "ViewPosition")
    return Labels(table.stems("anon_dicom_path"), table.rows, columns, (file_stem,))


def _of_exams(exams: Mapping[str, _Exam], rule: str) -> Labels:
    """By accession number and side: each exam gives one key a side."""
    pairs = [(name, side) for name in exams for side in _SIDES]
    columns: dict[str, list[Any]] = {
        "cancer": [exams[name].label(side, rule) for name, side in pairs],
        "birads": [exams[name].birads(side) for name, side in pairs],
        "density": [exams[name].density for name, _ in pairs],
        "patient_id": [exams[name].patient for name, _ in pairs],
    }
    keys = [f"{name} {side}" for name, side in pairs]
    rows = [merge(exams[name].rows) for name, _ in pairs]
    return Labels(keys, rows, columns, (_exam_and_side, _folder_and_side), one_image=False)


def _exam_and_side(frame: pd.DataFrame) -> "pd.Series[str]":
    return frame["exam_id"] + " " + frame["laterality"]


def _folder_and_side(frame: pd.DataFrame) -> "pd.Series[str]":
    return parent_folder(frame) + " " + frame["laterality"]
