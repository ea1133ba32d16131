"""Manifests of several data sets -> one, with a column that says which; no patient is mixed up.

Ids of patients are only unique within a data set, so each gets its data set's name in front.
Images that two sets share stay once; patients who share a study or a codestream are kept in one
fold by `patient_groups`, whatever their names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from dali_pipelines.columns import unescape
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest_schema import SCHEMA
from dali_pipelines.patient_groups import LABEL_PATIENT, is_nameless
from dali_pipelines.verdicts import Reason, Reject

DATASET: Final = "dataset"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STAGE: Final = "compare"


@dataclass(frozen=True, slots=True)
class Combined:
    """The rows of all sets, in their order, and a reject for each image that is there already.

    `images` counts the images of each set that stayed.
    """

    frame: pd.DataFrame
    repeated: tuple[Reject, ...]
    images: Mapping[str, int]


def parse_parts(parts: Sequence[str]) -> dict[str, Path]:
    """The manifest of each data set from texts like "rsna=rsna.parquet"; ConfigError if wrong."""
    found: dict[str, Path] = {}
    for part in parts:
        name, equals, path = part.partition("=")
        if not equals or not path or not _NAME.fullmatch(name):
            raise ConfigError(
                f"a data set is given as NAME=MANIFEST, its name of letters, digits, '.', '_' and "
                f"'-', found {part!r}"
            )
        if name in found:
            raise ConfigError(f"two data sets are named {name!r}; give each its own name")
        found[name] = Path(path)
    if len(found) < 2:
        raise ConfigError("one data set needs no combining; give two or more as NAME=MANIFEST")
    return found


def combine(frames: Mapping[str, pd.DataFrame]) -> Combined:
    """The manifests of data sets, by their names, as one.

    `patient_id` and the patient of the label table become "<data set>/<patient>". Columns that a
    set lacks are empty there. An image whose SOP Instance UID or image_id an earlier set has is a
    reject. Raises DatasetError where columns of one name hold different types.
    """
    together = pd.concat(_completed([_named(frame, name) for name, frame in frames.items()]))
    together = together.reset_index(drop=True)
    first = _first_set(together)
    repeated = together[first != together[DATASET]]
    kept = together.drop(index=repeated.index).reset_index(drop=True)
    counts = kept[DATASET].value_counts()
    return Combined(
        frame=kept,
        repeated=tuple(_repeats(together, repeated)),
        images={name: int(counts.get(name, 0)) for name in frames},
    )


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    named = frame.copy()
    named.attrs = {}  # what it says of its scan is not true of several
    named[DATASET] = name
    patients = named["patient_id"].where(is_nameless(frame), f"{name}/" + named["patient_id"])
    named["patient_id"] = patients
    if LABEL_PATIENT in named:
        known = named[LABEL_PATIENT] != ""
        named[LABEL_PATIENT] = named[LABEL_PATIENT].where(~known, f"{name}/" + named[LABEL_PATIENT])
    return named


def _completed(frames: Sequence[pd.DataFrame]) -> list[pd.DataFrame]:
    """The frames with the columns of all; what one lacks is "" in text and nothing in numbers."""
    types: dict[str, Any] = {}
    for frame in frames:
        for column in frame.columns:
            found = types.setdefault(column, frame[column].dtype)
            if found != frame[column].dtype and column not in SCHEMA.names:
                raise DatasetError(
                    f"the column {column!r} holds {found} in one manifest and "
                    f"{frame[column].dtype} in another; scan or label them in the same way"
                )
    return [_with_columns(frame, types) for frame in frames]


def _with_columns(frame: pd.DataFrame, types: Mapping[str, Any]) -> pd.DataFrame:
    missing = {}
    for column, dtype in types.items():
        if column not in frame.columns:
            empty = "" if pd.api.types.is_string_dtype(dtype) else None
            missing[column] = pd.Series([empty] * len(frame), frame.index, dtype)
    return frame.assign(**missing)[list(types)]


def _first_set(frame: pd.DataFrame) -> "pd.Series[str]":
    """For each row the first data set that has an image of its UID, or of its image_id."""
    by_uid = frame.groupby("sop_instance_uid", sort=False)[DATASET].transform("first")
    by_id = frame.groupby("image_id", sort=False)[DATASET].transform("first")
    return by_uid.where(by_uid != frame[DATASET], by_id)


def _repeats(together: pd.DataFrame, repeated: pd.DataFrame) -> list[Reject]:
    """A reject for each file of which an earlier set has the image."""
    kept = together.drop_duplicates("sop_instance_uid").set_index("sop_instance_uid")
    rejects = []
    for row in repeated.drop_duplicates(["path", "member"]).to_dict("records"):
        other = kept.loc[row["sop_instance_uid"]]
        where = f"image {other['image_id']} of {other[DATASET]}, which was kept"
        if row["sha256"] and row["sha256"] == other["sha256"]:
            reason, detail = Reason.DUPLICATE, f"the same codestream as {where}"
        else:
            reason = Reason.DUPLICATE_CONFLICT
            detail = f"the SOP Instance UID of {where}, without its codestream or without a hash"
        place = unescape(row["path"]), unescape(row["member"])
        rejects.append(Reject(*place, row["image_id"], _STAGE, reason, detail))
    return rejects
