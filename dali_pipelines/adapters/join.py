"""Labels and a manifest -> the manifest with labels, and how well the two fit.

An adapter says which rows of its tables speak of which image; the rest is the same for all and
stands here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from dali_pipelines.adapters.labels import DTYPES, Labels
from dali_pipelines.adapters.table import Row, Rows, name_lines
from dali_pipelines.errors import DatasetError
from dali_pipelines.patient_groups import LABEL_PATIENT, is_nameless
from dali_pipelines.rejects.counts import counted
from dali_pipelines.verdicts import Flag, Status

_Flags = pd.Series  # of lists of text

_FROM_HEADER: Final = (  # the labels only fill gaps
    "patient_id", "exam_id", "laterality", "view", "age", "implant",
)  # fmt: skip
_GAP_FLAGS: Final = {
    "laterality": (Flag.NO_LATERALITY.value, Flag.LATERALITY_INFERRED.value),
    "view": (Flag.NO_VIEW.value,),
}
LABEL_RULE: Final = "label_rule"  # as "rsna/cancer", where an image has a label


@dataclass(frozen=True, slots=True)
class JoinReport:
    """How labels and images fit; `disagreements` counts images whose header says otherwise."""

    labeled_images: int
    images_without_label: int
    rows_without_image: int
    repeated_rows: int
    disagreements: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    def text(self) -> str:
        """One line for a terminal."""
        parts = [
            f"{self.labeled_images:,} images labeled",
            f"{self.images_without_label:,} images without a label",
            f"{self.rows_without_image:,} rows without an image",
            f"{self.repeated_rows:,} repeated rows",
            *(
                f"{count:,} images whose header has another {name} "
                f"({'both kept' if name == 'patient_id' else 'kept'})"
                for name, count in self.disagreements.items()
            ),
        ]
        return "labels: " + ", ".join(parts)


def join(frame: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, JoinReport]:
    """The manifest with the label columns, and how the two fit.

    What the header says of patient, exam, side, view and age stays, and tables fill the gaps, of
    which a side that is only inferred is one; what file names tell (`named`) takes the place of
    both. The labels' patient is also kept as LABEL_PATIENT, for `patient_groups`: either id may be
    a pseudonym made anew for each study. LABEL_RULE says how a label was made.
    Raises DatasetError where rows contradict each other or no label finds its image.
    """
    rows, repeated = unique_rows(labels)
    keys = _image_keys(frame, labels, rows)
    found = set(keys[keys.isin(rows.index)])
    matched = rows.reindex(keys)
    matched.index = frame.index
    named = pd.DataFrame({name: tell(frame).astype("str") for name, tell in labels.named.items()})
    for name in named.columns:
        said = matched[name] if name in matched.columns else ""
        matched[name] = named[name].where(named[name] != "", said)
    joined, disagreements = _fill_gaps(frame, matched, told=named != "")
    for name in sorted(set(matched.columns) & DTYPES.keys() - set(_FROM_HEADER)):
        column = matched[name]
        joined[name] = column.fillna("") if DTYPES[name] == "str" else column
    if "patient_id" in matched.columns:
        joined[LABEL_PATIENT] = matched["patient_id"].fillna("")
    if labels.dataset:
        joined["dataset"] = labels.dataset
    made_by = pd.Series(labels.rule_name, frame.index, dtype="str")
    joined[LABEL_RULE] = made_by.where(matched["cancer"].notna(), "")
    labeled = int(matched["cancer"].notna().sum())
    pairs = zip(labels.keys, labels.rows, strict=True)
    used = {row for key, behind in pairs if key in found for row in behind}
    return joined, JoinReport(
        labeled_images=labeled,
        images_without_label=len(frame) - labeled,
        rows_without_image=len(_flat(labels.rows)) - len(used),
        repeated_rows=repeated,
        disagreements=disagreements,
    )


def unique_rows(labels: Labels) -> tuple[pd.DataFrame, int]:
    """One row a key, and how many said the same again; DatasetError where two contradict."""
    rows = pd.DataFrame({"key": labels.keys, "rows": labels.rows, **labels.columns})
    rows = rows.astype({name: DTYPES[name] for name in labels.columns})
    distinct = rows.drop_duplicates(["key", *labels.columns])
    clash = distinct[distinct["key"].duplicated(keep=False)]
    if len(clash):
        raise DatasetError(
            f"{labels.tables}: rows of {counted(clash['key'].nunique(), 'image')} contradict each "
            f"other, {_name_rows(_flat(clash['rows']))}; keep one row for each image"
        )
    repeated = len(_flat(labels.rows)) - len(_flat(distinct["rows"]))
    return distinct.drop(columns="rows").set_index("key"), repeated


def _flat(rows: Iterable[Rows]) -> set[Row]:
    return {row for behind in rows for row in behind}


def _name_rows(rows: Iterable[Row]) -> str:
    """Line numbers for a message, with the names of the tables where they are of several."""
    lines: dict[str, list[int]] = {}
    for table, line in rows:
        lines.setdefault(table, []).append(line)
    if len(lines) == 1:
        return name_lines(*lines.values())
    return " and ".join(f"{name_lines(lines[table])} of {table!r}" for table in sorted(lines))


def _image_keys(frame: pd.DataFrame, labels: Labels, rows: pd.DataFrame) -> "pd.Series[str]":
    candidates = [key(frame) for key in labels.image_keys]
    hits = [int(keys.isin(rows.index).sum()) for keys in candidates]
    best = int(np.argmax(hits))
    keys = candidates[best]
    if hits[best] == 0:
        raise DatasetError(
            f"none of the {len(rows):,} labels of {labels.tables} belongs to one of the "
            f"{len(frame):,} images; check that the labels and the adapter are those of this data"
        )
    files = frame[["path", "member"]].assign(key=keys).drop_duplicates()  # of one or more frames
    shared = files["key"][files["key"].isin(rows.index)].duplicated(keep=False)
    if labels.one_image and shared.any():
        raise DatasetError(
            f"{int(shared.sum()):,} images share the name by which {labels.tables} label them; "
            "label them by SOP Instance UID or path"
        )
    return keys


def _fill_gaps(
    frame: pd.DataFrame, matched: pd.DataFrame, told: pd.DataFrame
) -> tuple[pd.DataFrame, dict[str, int]]:
    """The frame with gaps of _FROM_HEADER filled, and where both sides speak and disagree.

    `told` is True in a column and row where the header does not count.
    """
    joined = frame.copy()
    disagreements = {}
    for name in _FROM_HEADER:
        if name not in matched.columns:
            continue
        header, given = frame[name], matched[name]
        offered = given.notna() & (given != "").fillna(False)
        empty = _gaps(frame, name)
        if name in told.columns:
            empty |= told[name]
        inferred = _inferred(frame) & ~empty & (name == "laterality")
        other = offered & ~empty & (header != given).fillna(False)
        differ = other & ~inferred
        filled = offered & (empty | inferred)
        joined[name] = header.where(~filled, given)
        if differ.any():
            disagreements[name] = int(differ.sum())
        for flag in _GAP_FLAGS.get(name, ()):
            joined["flags"] = _without(joined["flags"], flag, filled)
        if name == "laterality":
            joined["flags"] = _with(joined["flags"], Flag.LATERALITY_CONFLICT.value, other)
        if name == "implant":
            found = filled & joined[name].fillna(False)
            joined["flags"] = _with(joined["flags"], Flag.IMPLANT.value, found)
    flagged = joined["flags"].map(len) > 0
    joined["status"] = np.where(flagged, Status.FLAGGED.value, Status.OK.value)
    return joined, disagreements


def _gaps(frame: pd.DataFrame, name: str) -> "pd.Series[bool]":
    if name == "patient_id":
        return is_nameless(frame)
    return frame[name].isna() | (frame[name] == "").fillna(False)


def _inferred(frame: pd.DataFrame) -> "pd.Series[bool]":
    """True where no tag of its own names the side: it is a guess from how the picture is hung."""
    return frame["flags"].map(lambda flags: Flag.LATERALITY_INFERRED.value in flags).astype(bool)


def _without(flags: _Flags, flag: str, where: "pd.Series[bool]") -> _Flags:
    pairs = zip(flags, where, strict=True)
    kept = [[old for old in all_old if not (gone and old == flag)] for all_old, gone in pairs]
    return pd.Series(kept, index=flags.index, dtype=object)


def _with(flags: _Flags, flag: str, where: "pd.Series[bool]") -> _Flags:
    pairs = zip(flags, where, strict=True)
    more = [[*old, flag] if new and flag not in old else list(old) for old, new in pairs]
    return pd.Series(more, index=flags.index, dtype=object)
