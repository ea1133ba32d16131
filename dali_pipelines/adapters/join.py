"""Labels and a manifest -> the manifest with labels, and how well the two fit.

An adapter says which rows of its table speak of which image; the rest is the same for all and
stands here.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from dali_pipelines.adapters.table import Table, name_lines
from dali_pipelines.dicom.laterality_view import SIDES, parse_view
from dali_pipelines.errors import DatasetError
from dali_pipelines.patient_groups import LABEL_PATIENT, is_nameless
from dali_pipelines.verdicts import Flag, Status

ImageKey = Callable[[pd.DataFrame], "pd.Series[str]"]  # manifest -> the key of each image
_Flags = pd.Series  # of lists of text

DTYPES: Final[Mapping[str, str]] = {
    "cancer": "Int8",
    "age": "Int16",
    "birads": "Int8",
    "patient_id": "str",
    "laterality": "str",
    "view": "str",
    "density": "str",
    "site_id": "str",
    "machine_id": "str",
    "dataset": "str",
}
_FROM_HEADER: Final = ("patient_id", "laterality", "view", "age")  # the table only fills gaps
_GAP_FLAGS: Final = {"laterality": Flag.NO_LATERALITY.value, "view": Flag.NO_VIEW.value}
_DICOM_SUFFIXES: Final = r"(?i)\.(?:dcm|dicom)$"  # no other: the last number of a UID is no suffix


@dataclass(frozen=True, slots=True)
class Labels:
    """What a table says: (n,) `keys`, and those columns of DTYPES that it has, (n,) each.

    `lines` is the line of the table behind each row; a line may give several rows. `image_keys`
    are ways to find an image by a key; the one that finds most is used. `one_image` is True where
    a key may mean one image only.
    """

    table: str
    keys: list[str]
    lines: list[int]
    columns: Mapping[str, list[Any]]
    image_keys: tuple[ImageKey, ...]
    one_image: bool = True


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


Adapter = Callable[[Table, str | None], Labels]


def read_optional(table: Table) -> dict[str, list[Any]]:
    """Those columns of DTYPES, but for the label, that a table has under their own name."""
    readers: dict[str, Callable[[str], list[Any]]] = {
        "patient_id": table.texts,
        "laterality": lambda name: _sides(table, name),
        "view": lambda name: [parse_view(cell)[0] for cell in table.texts(name)],
        "age": table.ages,
        "birads": lambda name: table.numbers(name, 6),
        "density": lambda name: [cell.upper() for cell in table.texts(name)],
        "site_id": table.texts,
        "machine_id": table.texts,
        "dataset": table.texts,
    }
    return {name: read(name) for name, read in readers.items() if name in table}


def file_names(frame: pd.DataFrame) -> "pd.Series[str]":
    """The path of each image with its zip member below it, as if that were a file."""
    return frame["path"].where(frame["member"] == "", frame["path"] + "/" + frame["member"])


def file_stem(frame: pd.DataFrame) -> "pd.Series[str]":
    """The name of each image's file without folder and DICOM suffix."""
    names = file_names(frame).str.rsplit("/", n=1).str[-1]
    return names.str.replace(_DICOM_SUFFIXES, "", regex=True)


def join(frame: pd.DataFrame, labels: Labels) -> tuple[pd.DataFrame, JoinReport]:
    """The manifest with the label columns, and how the two fit.

    What the header says of patient, side, view and age stays; the table fills the gaps. The
    table's patient is also kept as LABEL_PATIENT, for `patient_groups`: either id may be a
    pseudonym made anew for each study. Raises DatasetError where rows contradict each other or no
    label finds its image.
    """
    rows, repeated = unique_rows(labels)
    keys = _image_keys(frame, labels, rows)
    found = keys.isin(rows.index)
    matched = rows.reindex(keys)
    matched.index = frame.index
    joined, disagreements = _fill_gaps(frame, matched)
    for name in sorted(labels.columns.keys() - set(_FROM_HEADER)):
        column = matched[name]
        joined[name] = column.fillna("") if DTYPES[name] == "str" else column
    if "patient_id" in matched.columns:
        joined[LABEL_PATIENT] = matched["patient_id"].fillna("")
    used = set(rows.loc[rows.index.isin(keys[found]), "line"])
    labeled = int(matched["cancer"].notna().sum())
    return joined, JoinReport(
        labeled_images=labeled,
        images_without_label=len(frame) - labeled,
        rows_without_image=len(set(labels.lines)) - len(used),
        repeated_rows=repeated,
        disagreements=disagreements,
    )


def unique_rows(labels: Labels) -> tuple[pd.DataFrame, int]:
    """One row a key, and how many said the same again; DatasetError where two contradict."""
    rows = pd.DataFrame({"key": labels.keys, "line": labels.lines, **labels.columns})
    rows = rows.astype({name: DTYPES[name] for name in labels.columns})
    distinct = rows.drop_duplicates(["key", *labels.columns])
    clash = distinct[distinct["key"].duplicated(keep=False)]
    if len(clash):
        raise DatasetError(
            f"{labels.table!r}: {clash['key'].nunique():,} images have rows that contradict each "
            f"other, {name_lines(clash['line'])}; keep one row for each"
        )
    repeated = rows["line"].nunique() - distinct["line"].nunique()
    return distinct.set_index("key"), repeated


def _image_keys(frame: pd.DataFrame, labels: Labels, rows: pd.DataFrame) -> "pd.Series[str]":
    candidates = [key(frame) for key in labels.image_keys]
    hits = [int(keys.isin(rows.index).sum()) for keys in candidates]
    best = int(np.argmax(hits))
    keys = candidates[best]
    if hits[best] == 0:
        raise DatasetError(
            f"none of the {len(rows):,} labels of {labels.table!r} belongs to one of the "
            f"{len(frame):,} images; check that the labels and the adapter are those of this data"
        )
    files = frame[["path", "member"]].assign(key=keys).drop_duplicates()  # of one or more frames
    shared = files["key"][files["key"].isin(rows.index)].duplicated(keep=False)
    if labels.one_image and shared.any():
        raise DatasetError(
            f"{int(shared.sum()):,} images share the name by which {labels.table!r} labels them; "
            "label them by SOP Instance UID or path"
        )
    return keys


def _fill_gaps(frame: pd.DataFrame, matched: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """The frame with gaps of _FROM_HEADER filled, and where both sides speak and disagree."""
    joined = frame.copy()
    disagreements = {}
    for name in _FROM_HEADER:
        if name not in matched.columns:
            continue
        header, given = frame[name], matched[name]
        offered = given.notna() & (given != "").fillna(False)
        empty = _gaps(frame, name)
        differ = offered & ~empty & (header != given).fillna(False)
        joined[name] = header.where(~(empty & offered), given)
        if differ.any():
            disagreements[name] = int(differ.sum())
        if name in _GAP_FLAGS:
            joined["flags"] = _without(joined["flags"], _GAP_FLAGS[name], empty & offered)
        if name == "laterality":
            joined["flags"] = _with(joined["flags"], Flag.LATERALITY_CONFLICT.value, differ)
    flagged = joined["flags"].map(len) > 0
    joined["status"] = np.where(flagged, Status.FLAGGED.value, Status.OK.value)
    return joined, disagreements


def _gaps(frame: pd.DataFrame, name: str) -> "pd.Series[bool]":
    if name == "patient_id":
        return is_nameless(frame)
    return frame[name].isna() | (frame[name] == "").fillna(False)


def _without(flags: _Flags, flag: str, where: "pd.Series[bool]") -> _Flags:
    pairs = zip(flags, where, strict=True)
    kept = [[old for old in all_old if not (gone and old == flag)] for all_old, gone in pairs]
    return pd.Series(kept, index=flags.index, dtype=object)


def _with(flags: _Flags, flag: str, where: "pd.Series[bool]") -> _Flags:
    pairs = zip(flags, where, strict=True)
    more = [[*old, flag] if new and flag not in old else list(old) for old, new in pairs]
    return pd.Series(more, index=flags.index, dtype=object)


def _sides(table: Table, name: str) -> list[str]:
    """A column of L, R or B (both), also written out; DatasetError for anything else."""
    cells = [cell.upper() for cell in table.texts(name)]
    wrong = [i for i, cell in enumerate(cells) if cell and cell not in SIDES]
    table.require_none(wrong, f"column {name!r} must hold L, R, B (both) or nothing")
    return [SIDES.get(cell, "") for cell in cells]
