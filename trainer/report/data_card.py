"""Who and what is behind the scores: images, patients and prevalence, by site, vendor and more."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pandas as pd

from dali_pipelines.adapters.join import LABEL_RULE
from dali_pipelines.patient_groups import name_patients
from dali_pipelines.rejects.explanations import explain
from dali_pipelines.verdicts import Flag
from trainer.evaluation.groups import split_by, split_columns
from trainer.exams import name_exams

_SHOWN: Final = (  # of the columns of evaluation.groups, in this order
    *("site", "vendor", "model", "age", "density", "implant", "view", "laterality"),
)
_LABEL: Final = "cancer"


@dataclass(frozen=True, slots=True)
class Count:
    """A part of the data; `labeled` and `positive` count patients.

    `prevalence` is positive / labeled, None where no patient has a label.
    """

    name: str
    images: int
    patients: int
    labeled: int
    positive: int

    @property
    def prevalence(self) -> float | None:
        """The share of labeled patients who have cancer in an image of this part."""
        return self.positive / self.labeled if self.labeled else None


@dataclass(frozen=True, slots=True)
class DataCard:
    """The whole and its parts: counts for each column that has several values, in `parts`.

    `constants` are the columns with one value. `positive_images` and `labeled_images` count images.
    `flags` are (code, meaning, images), the most frequent first; `label_rules` say how labels were
    made, where the manifest says it.
    """

    whole: Count
    exams: int
    labeled_images: int
    positive_images: int
    parts: Mapping[str, Sequence[Count]]
    constants: Mapping[str, str]
    flags: Sequence[tuple[str, str, int]]
    label_rules: Sequence[str]


def data_card(manifest: pd.DataFrame) -> DataCard:
    """The card of the images of a manifest."""
    rows = _rows(manifest)
    columns = split_columns(manifest)
    labels, exams = rows["label"], name_exams(manifest)
    found = {name: _parts(rows.join(columns[name]), name) for name in _SHOWN if name in columns}
    return DataCard(
        whole=_count("all", rows),
        exams=len(pd.DataFrame({"patient": rows["patient"], "exam": exams}).drop_duplicates()),
        labeled_images=int(labels.notna().sum()),
        positive_images=int((labels == 1).sum()),
        parts={name: parts for name, parts in found.items() if len(parts) > 1},
        constants={name: parts[0].name for name, parts in found.items() if len(parts) == 1},
        flags=_flags(manifest),
        label_rules=_label_rules(manifest),
    )


def _rows(manifest: pd.DataFrame) -> pd.DataFrame:
    """The patient and the label of each image."""
    nothing = pd.Series(pd.NA, manifest.index, dtype="Int64")
    label = manifest[_LABEL].astype("Int64") if _LABEL in manifest.columns else nothing
    return pd.DataFrame({"patient": name_patients(manifest, "patient_id"), "label": label})


def _count(name: str, rows: pd.DataFrame) -> Count:
    label = rows.groupby("patient")["label"].max()
    labeled, positive = int(label.notna().sum()), int((label == 1).sum())
    return Count(name, len(rows), len(label), labeled, positive)


def _parts(rows: pd.DataFrame, column: str) -> list[Count]:
    """A count for each value, by name; what is not known last, and many rare ones as one."""
    return [_count(value, part) for value, part in split_by(rows, column).items()]


def _flags(manifest: pd.DataFrame) -> list[tuple[str, str, int]]:
    counts = Counter(code for codes in manifest["flags"] for code in codes)
    known = {flag.value for flag in Flag}
    return [
        (code, explain(Flag(code)).meaning if code in known else "", images)
        for code, images in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _label_rules(manifest: pd.DataFrame) -> list[str]:
    if LABEL_RULE not in manifest.columns:
        return []
    return sorted({str(rule) for rule in manifest[LABEL_RULE].dropna() if str(rule)})
