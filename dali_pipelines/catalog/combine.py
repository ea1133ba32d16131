"""Manifests of several data sets -> one, with a column that says which; no patient is mixed up.

Ids of patients are only unique within a data set, so each gets its data set's name in front.
Images that two sets share stay once; patients who share a study, a codestream or a patient of the
label table are kept in one fold by `patient_groups`, whatever their names.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from dali_pipelines.adapters.join import LABEL_RULE
from dali_pipelines.columns import unescape
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest_schema import SCHEMA
from dali_pipelines.patient_groups import LABEL_PATIENT, is_nameless
from dali_pipelines.rejects.counts import counted
from dali_pipelines.verdicts import Reason, Reject

DATASET: Final = "dataset"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STAGE: Final = "compare"
_LABEL: Final = "cancer"


@dataclass(frozen=True, slots=True)
class Combined:
    """The rows of all sets, in their order, and a reject for each image that is there already.

    `images` counts the images of each set that stayed, `lost_labels` the repeated ones whose label
    is not that of the image that stayed, `same_ids` the ids of patients that several sets have and
    nothing else joins. `rules` are the label rules of each set that names any.
    """

    frame: pd.DataFrame
    repeated: tuple[Reject, ...]
    images: Mapping[str, int]
    lost_labels: int
    same_ids: int
    rules: Mapping[str, Sequence[str]]

    def warnings(self) -> list[str]:
        """Sentences on what to look at before training on all of it, without any id."""
        found = [
            f"no image of {name} stayed: an earlier set has all of them"
            for name, count in self.images.items()
            if not count
        ]
        meanings = {rule.partition("/")[2] for rules in self.rules.values() for rule in rules}
        if len(meanings) > 1:
            made = "; ".join(f"{name} by {', '.join(rules)}" for name, rules in self.rules.items())
            found.append(f"labels were made by different rules, and mean different things: {made}")
        if self.lost_labels:
            found.append(
                f"{counted(self.lost_labels, 'repeated image')} had another label than the one kept"
            )
        if self.same_ids:
            found.append(
                f"{counted(self.same_ids, 'patient id')} in more than one set, taken for different "
                "patients; scan the parts of one data set together, or folds may share patients"
            )
        return found


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

    `patient_id` becomes "<data set>/<patient>", and so does the patient of the label table, there
    with the data set that the scan named, so that parts of one set stay joined under several names.
    Columns that a set lacks are empty there. An image whose SOP Instance UID an earlier set has is
    a reject. Raises DatasetError where columns of one name hold different types.
    """
    together = pd.concat(_completed([_named(frame, name) for name, frame in frames.items()]))
    together = together.reset_index(drop=True)
    first = _first_set(together)
    repeated = together[first != together[DATASET]]
    kept = together.drop(index=repeated.index).reset_index(drop=True)
    others = _kept_images(together, repeated)
    counts = kept[DATASET].value_counts()
    return Combined(
        frame=kept,
        repeated=tuple(_repeats(repeated, others)),
        images={name: int(counts.get(name, 0)) for name in frames},
        lost_labels=_count_lost_labels(repeated, others),
        same_ids=_count_same_ids(frames),
        rules=_rules(kept),
    )


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    named = frame.copy()
    named.attrs = {}  # what it says of its scan is not true of several
    named[DATASET] = name
    patients = named["patient_id"].where(is_nameless(frame), f"{name}/" + named["patient_id"])
    named["patient_id"] = patients
    if LABEL_PATIENT in named:
        known = named[LABEL_PATIENT] != ""
        within = _scanned_set(frame).replace("", name) + "/" + named[LABEL_PATIENT]
        named[LABEL_PATIENT] = named[LABEL_PATIENT].where(~known, within)
    return named


def _scanned_set(frame: pd.DataFrame) -> "pd.Series[str]":
    """The data set of each image by the tables of its scan, "" where they name none."""
    if DATASET in frame:
        return frame[DATASET].fillna("")
    return pd.Series("", frame.index, dtype="str")


def _count_same_ids(frames: Mapping[str, pd.DataFrame]) -> int:
    """How many ids several sets have, but for images whose label table's patient joins them."""
    found = []
    for frame in frames.values():
        unknown = ~is_nameless(frame)
        if LABEL_PATIENT in frame:
            unknown &= (_scanned_set(frame) == "") | (frame[LABEL_PATIENT] == "")
        found += frame.loc[unknown, "patient_id"].unique().tolist()
    return len(found) - len(set(found))


def _rules(frame: pd.DataFrame) -> dict[str, list[str]]:
    """The label rules of each set that names any, in order of the names of sets."""
    if LABEL_RULE not in frame:
        return {}
    pairs = frame.loc[frame[LABEL_RULE] != "", [DATASET, LABEL_RULE]].drop_duplicates()
    return {str(name): sorted(part[LABEL_RULE]) for name, part in pairs.groupby(DATASET)}


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
    """For each row the first data set that has an image of its UID."""
    return frame.groupby("sop_instance_uid", sort=False)[DATASET].transform("first")


def _kept_images(together: pd.DataFrame, repeated: pd.DataFrame) -> pd.DataFrame:
    """For each of the repeated rows that of the image that stayed, with its index."""
    kept = together.drop_duplicates("sop_instance_uid").set_index("sop_instance_uid")
    return kept.reindex(repeated["sop_instance_uid"]).set_index(repeated.index)


def _count_lost_labels(repeated: pd.DataFrame, others: pd.DataFrame) -> int:
    if _LABEL not in repeated:
        return 0
    same = (repeated[_LABEL] == others[_LABEL]).fillna(value=False)
    return int((repeated[_LABEL].notna() & ~same).sum())


def _repeats(repeated: pd.DataFrame, others: pd.DataFrame) -> list[Reject]:
    """A reject for each file of which an earlier set has the image."""
    files = repeated.drop_duplicates(["path", "member"])
    columns = ["path", "member", "image_id", "sha256"]
    pairs = zip(
        files[columns].itertuples(index=False),
        others.loc[files.index, ["image_id", DATASET, "sha256"]].itertuples(index=False),
        strict=True,
    )
    rejects = []
    for (path, member, image, digest), (other, name, other_digest) in pairs:
        where = f"image {other} of {name}, which was kept"
        if digest and digest == other_digest:
            reason, detail = Reason.DUPLICATE, f"the same codestream as {where}"
        else:
            reason = Reason.DUPLICATE_CONFLICT
            detail = f"the SOP Instance UID of {where}, without its codestream or without a hash"
        rejects.append(Reject(unescape(path), unescape(member), image, _STAGE, reason, detail))
    return rejects
