"""Manifest and verdicts -> what a scan found, as numbers for a screen and for JSON.

Counts only: no id, no path, no value of a tag but vendor, view and the like.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from dali_pipelines.dicom.uids import SYNTAX_NAMES
from dali_pipelines.rejects.counts import VerdictCounts

STANDARD_VIEWS: Final = ("L CC", "L MLO", "R CC", "R MLO")
_MOST_ROWS: Final = 5  # of one table; the rest are summed up, so that all fits one screen
_MOST_CHARACTERS: Final = 48
_WIDTH: Final = 12
_REJECT: Final = "reject"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Numbers of one scan; each mapping is from a value to its number of images or inputs.

    `missing_views` counts exams by each of the four standard views that they lack. `labels` has
    the keys positive, negative and unlabeled, and is empty where no label was joined.
    `same_pixels` counts images whose codestream also occurs under another SOP Instance UID.
    """

    verdicts: Mapping[str, int]
    images: int
    patients: int
    exams: int
    incomplete_exams: int
    same_pixels: int
    labels: Mapping[str, int]
    tables: Mapping[str, Mapping[str, int]]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, nothing summed up."""
        return {
            "inputs": dict(self.verdicts),
            "images": self.images,
            "patients": self.patients,
            "exams": self.exams,
            "incomplete_exams": self.incomplete_exams,
            "same_pixels": self.same_pixels,
            "labels": dict(self.labels),
            **{name: dict(table) for name, table in self.tables.items()},
        }

    def text(self) -> str:
        """One screen without the verdicts: numbers in one column, what they count beside them."""
        rows = [
            ("found", self.images, "images"),
            ("", self.patients, "patients"),
            ("", self.exams, "exams"),
            ("", self.incomplete_exams, "exams without all of " + ", ".join(STANDARD_VIEWS)),
            ("", self.same_pixels, "images with the pixels of another one"),
        ]
        rows += [("labels", count, name) for name, count in self.labels.items()]
        for title, table in self.tables.items():
            if title == _REJECT:
                continue
            rows += [(title, count, name) for name, count in _shortened(table)]
        return "\n".join(_lines(rows))


def take_inventory(frame: pd.DataFrame, counts: VerdictCounts) -> Inventory:
    """The numbers of one scan: the frame of its images, and how its inputs ended."""
    verdicts = counts.to_dict()
    codes = verdicts.pop("codes")
    exams = _exams(frame)
    lacking = _missing_views(frame, exams)
    return Inventory(
        verdicts=verdicts,
        images=len(frame),
        patients=_distinct(frame["patient_id"]),
        exams=_distinct(exams),
        incomplete_exams=len({exam for exam, _ in lacking}),
        same_pixels=_same_pixels(frame),
        labels=_labels(frame),
        tables={
            "syntax": _counted(_syntaxes(frame)),
            "bits": _counted(f"{bits} bits" for bits in frame["stream_precision"]),
            "photometric": _counted(frame["photometric"]),
            "vendor": _counted(frame["manufacturer"]),
            "view": _counted((frame["laterality"] + " " + frame["view"]).str.strip()),
            "missing view": _counted(view for _, view in lacking),
            "flag": _counted(flag for flags in frame["flags"] for flag in flags),
            _REJECT: codes,
        },
    )


def _exams(frame: pd.DataFrame) -> "pd.Series[str]":
    """The exam of each image, its study where the header names no exam."""
    exams = frame["exam_id"].where(frame["exam_id"] != "", frame["study_instance_uid"])
    return exams.where(exams == "", frame["patient_id"] + "\0" + exams)


def _missing_views(frame: pd.DataFrame, exams: "pd.Series[str]") -> list[tuple[str, str]]:
    """(exam, view) for each standard view that an exam lacks."""
    views = frame["laterality"] + " " + frame["view"]
    found = set(zip(exams, views, strict=True))
    named = exams[exams != ""].unique()
    return [(exam, view) for exam in named for view in STANDARD_VIEWS if (exam, view) not in found]


def _same_pixels(frame: pd.DataFrame) -> int:
    hashes = frame["sha256"][frame["sha256"] != ""]
    return int(hashes.duplicated(keep=False).sum())


def _labels(frame: pd.DataFrame) -> dict[str, int]:
    if "cancer" not in frame.columns:
        return {}
    labels = frame["cancer"]
    return {
        "positive": int((labels == 1).sum()),
        "negative": int((labels == 0).sum()),
        "unlabeled": int(labels.isna().sum()),
    }


def _distinct(values: "pd.Series[str]") -> int:
    return int(values[values != ""].nunique())


def _counted(values: Iterable[str]) -> dict[str, int]:
    """How often each value occurs, the most frequent first; "" as "not stated"."""
    counts = Counter(_printable(value) or "not stated" for value in values)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _printable(value: str) -> str:
    """Header text cut short, without what could move the cursor."""
    return "".join(c if c.isprintable() else "?" for c in value[:_MOST_CHARACTERS]).strip()


def _syntaxes(frame: pd.DataFrame) -> "pd.Series[str]":
    """The short name of each image's transfer syntax; "PGM" for a file that is no DICOM."""
    uids = frame["transfer_syntax"]
    names = uids.map(SYNTAX_NAMES).fillna("unknown syntax").where(uids != "", "")
    file_names = frame["path"].where(frame["member"] == "", frame["member"])
    pgm = (frame["sop_class_uid"] == "") & file_names.str.lower().str.endswith(".pgm")
    return names.mask(pgm, "PGM")


def _shortened(table: Mapping[str, int]) -> list[tuple[str, int]]:
    rows = list(table.items())
    if len(rows) <= _MOST_ROWS:
        return rows
    kept, rest = rows[: _MOST_ROWS - 1], rows[_MOST_ROWS - 1 :]
    return [*kept, (f"in {len(rest)} more", sum(count for _, count in rest))]


def _lines(rows: Sequence[tuple[str, int, str]]) -> list[str]:
    lines, before = [], ""
    for title, count, name in rows:
        shown = "" if title == before else title
        before = title or before
        lines.append(f"{shown:{_WIDTH}}{count:>{_WIDTH},}  {name}".rstrip())
    return lines
