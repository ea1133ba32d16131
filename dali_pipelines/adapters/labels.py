"""What the tables of a data set say of images, and the ways to find an image by its name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import pandas as pd

from dali_pipelines.adapters.table import Rows, Table
from dali_pipelines.dicom.laterality_view import parse_view

T = TypeVar("T")
ImageKey = Callable[[pd.DataFrame], "pd.Series[str]"]  # manifest -> a text for each image

DTYPES: Final[Mapping[str, str]] = {
    "cancer": "Int8",
    "age": "Int16",
    "birads": "Int8",
    "patient_id": "str",
    "exam_id": "str",
    "laterality": "str",
    "view": "str",
    "density": "str",
    "implant": "boolean",
    "site_id": "str",
    "machine_id": "str",
    "dataset": "str",
    "split_group": "str",
    "years_to_cancer": "Int16",
    "years_to_last_followup": "Int16",
}
DENSITIES: Final = {"1": "A", "2": "B", "3": "C", "4": "D"}  # as some tables number them
BIRADS_BY_WEIGHT: Final = (1, 2, 3, 0, 4, 5, 6)  # assessments, the worst last
SPLIT_GROUPS: Final = {  # how tables name the part of an image -> how we do
    "TRAIN": "train",
    "TRAINING": "train",
    "DEV": "dev",
    "VAL": "dev",
    "VALIDATION": "dev",
    "TEST": "test",
}
_YES_NO: Final = {
    **dict.fromkeys(("1", "TRUE", "YES", "Y"), True),
    **dict.fromkeys(("0", "FALSE", "NO", "N"), False),
}
_SUFFIXES: Final = r"(?i)\.(?:dcm|dicom|pgm)$"  # no other: the last number of a UID is no suffix


@dataclass(frozen=True, slots=True)
class Labels:
    """What tables say: (n,) `keys`, and those columns of DTYPES that they have, (n,) each.

    `rows` are the rows of tables behind each key; a row may give several keys. `image_keys` are
    ways to find an image by a key; the one that finds most is used. `one_image` is True where a key
    may mean one image only. `dataset`, unless "", names the data set of all images, with or without
    a label. `named` are columns that the images' own file names tell, in place of their headers.
    `adapter` and `rule` say how the labels were made, `rule_name` in short, `why` on what grounds
    that adapter was taken, where nobody named it.
    """

    keys: list[str]
    rows: list[Rows]
    columns: Mapping[str, list[Any]]
    image_keys: tuple[ImageKey, ...]
    one_image: bool = True
    dataset: str = ""
    named: Mapping[str, ImageKey] = field(default_factory=dict)
    adapter: str = ""
    rule: str = ""
    rule_name: str = ""
    why: str = ""

    @property
    def statement(self) -> str:
        """How the labels were made, in words for a terminal."""
        return "\n".join(filter(None, [self.why, f"label rule {self.adapter}/{self.rule}"]))

    @property
    def tables(self) -> str:
        """The names of the tables, for a message."""
        return ", ".join(map(repr, sorted({name for rows in self.rows for name, _ in rows})))


def stack(parts: Sequence[Labels]) -> Labels:
    """The labels of several tables of one kind; a column that one lacks says nothing there."""
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return replace(
        parts[0],
        keys=[key for part in parts for key in part.keys],
        rows=[rows for part in parts for rows in part.rows],
        columns={
            name: [v for part in parts for v in part.columns.get(name, [None] * len(part.keys))]
            for name in names
        },
    )


def by_key(keys: Sequence[str], values: Sequence[T]) -> dict[str, list[T]]:
    """What is said under each key, in order of the first."""
    found: dict[str, list[T]] = {}
    for key, value in zip(keys, values, strict=True):
        found.setdefault(key, []).append(value)
    return found


def merge(rows: Sequence[Rows]) -> Rows:
    """The rows behind what was put together of several."""
    return tuple(row for group in rows for row in group)


def worst(labels: Sequence[int | None]) -> int | None:
    """The label of what several findings speak of: 1 if any is 1, 0 if all are 0, else None."""
    if 1 in labels:
        return 1
    return None if not labels or None in labels else 0


def read_optional(table: Table) -> dict[str, list[Any]]:
    """Those columns of DTYPES, but for the label, that a table has under their own name."""
    readers: dict[str, Callable[[str], list[Any]]] = {
        "patient_id": table.texts,
        "exam_id": table.texts,
        "laterality": table.sides,
        "view": lambda name: read_views(table, name),
        "age": table.ages,
        "birads": lambda name: table.numbers(name, 6),
        "density": lambda name: [cell.upper() for cell in table.texts(name)],
        "implant": lambda name: _read_yes_no(table, name),
        "site_id": table.texts,
        "machine_id": table.texts,
        "dataset": table.texts,
        "split_group": table.texts,
    }
    return {name: read(name) for name, read in readers.items() if name in table}


def read_views(table: Table, name: str) -> list[str]:
    """A column of views, such as MLO; "" where a cell names none."""
    return [parse_view(cell)[0] for cell in table.texts(name)]


def read_split_groups(table: Table, name: str) -> list[str]:
    """A column of train, dev and test, "" where a cell says nothing; DatasetError for others."""
    return [group or "" for group in table.codes(name, SPLIT_GROUPS)]


def read_densities(table: Table, name: str) -> list[str]:
    """A column of densities 1 ... 4 as A ... D; "" where a cell says anything else."""
    return [DENSITIES.get(cell.removesuffix(".0"), "") for cell in table.texts(name)]


def _read_yes_no(table: Table, name: str) -> list[bool | None]:
    """A column of yes and no, also as 1 and 0; None where a cell says anything else."""
    return [_YES_NO.get(cell.upper().removesuffix(".0")) for cell in table.texts(name)]


def file_names(frame: pd.DataFrame) -> "pd.Series[str]":
    """The path of each image with its zip member below it, as if that were a file."""
    return frame["path"].where(frame["member"] == "", frame["path"] + "/" + frame["member"])


def file_stem(frame: pd.DataFrame) -> "pd.Series[str]":
    """The name of each image's file without folder and suffix."""
    names = file_names(frame).str.rsplit("/", n=1).str[-1]
    return names.str.replace(_SUFFIXES, "", regex=True)


def parent_folder(frame: pd.DataFrame) -> "pd.Series[str]":
    """The name of the folder in which each image's file lies."""
    return file_names(frame).str.rsplit("/", n=2).str[-2]
