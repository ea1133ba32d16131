"""Manifest rows -> who belongs together, so that no patient is ever on both sides of a split.

Patients who share a study, an identical codestream or the patient of the label table are one
group: whichever of the ids is wrong, all their images stay together.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

LINKS: Final = ("study_instance_uid", "sha256")  # what two patients never rightly share
LABEL_PATIENT: Final = "label_patient_id"  # the patient by the label table, where that says one
UID_COLUMNS: Final = ("study_instance_uid", "series_instance_uid", "sop_instance_uid")


def find_links(frame: pd.DataFrame) -> tuple[str, ...]:
    """The columns whose values join patients; LABEL_PATIENT only where the labels gave one."""
    return (*LINKS, LABEL_PATIENT) if LABEL_PATIENT in frame.columns else LINKS


def is_nameless(frame: pd.DataFrame, group: str = "patient_id") -> "pd.Series[bool]":
    """True for each image that names no patient: nothing, or a UID in the place of the id."""
    names = frame[group].astype("string").fillna("")
    nameless = names == ""
    for column in UID_COLUMNS:
        nameless |= names == frame[column].astype("string")
    return nameless


def name_patients(frame: pd.DataFrame, group: str) -> "pd.Series[str]":
    """The patient of each image; its study, series or own UID where that is unknown."""
    names = frame[group].astype("string").fillna("")
    for column in UID_COLUMNS:
        names = names.where(names != "", frame[column].astype("string"))
    return names


def join_patients(names: "pd.Series[str]", frame: pd.DataFrame) -> NDArray[np.int64]:
    """(n,) the group of each image, 0 ... in order of the first patient's name in each."""
    patient, _ = pd.factorize(names, sort=True)
    patients = nodes = int(patient.max(initial=-1)) + 1
    edges = []
    for column in find_links(frame):
        known = frame[column].where(frame[column] != "")
        shared, values = pd.factorize(known, sort=True)
        edges.append(np.stack([patient, shared + nodes])[:, shared >= 0])
        nodes += len(values)
    ends = np.concatenate(edges, axis=1)
    graph = coo_array((np.ones(ends.shape[1]), (ends[0], ends[1])), shape=(nodes, nodes))
    _, component = connected_components(graph, directed=False)
    numbers, _ = pd.factorize(component[:patients])
    groups: NDArray[np.int64] = numbers[patient].astype(np.int64)
    return groups


def describe_groups(frame: pd.DataFrame, group: str) -> list[str]:
    """Sentences, without any id, on images that name no patient and patients who were joined."""
    names = name_patients(frame, group)
    notes = []
    if nameless := int(is_nameless(frame, group).sum()):
        notes.append(f"{nameless:,} images name no patient; each study was taken for one")
    sizes = names.groupby(join_patients(names, frame)).nunique()
    joined = sizes[sizes > 1]
    if len(joined):
        notes.append(
            f"{joined.sum():,} patients share a study, an identical codestream or the label "
            f"table's patient with another; they were kept together (groups: {len(joined):,})"
        )
    return notes
