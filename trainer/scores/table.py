"""The table of scores: one row per image, with what grouping and evaluation need.

Predictions leave the house, so images and patients are named by keyed hashes unless asked
otherwise.
"""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from dali_pipelines.errors import DatasetError
from dali_pipelines.identity import image_id
from dali_pipelines.patient_groups import name_patients
from dali_pipelines.plan import EMPTY
from trainer.aggregation.levels import side
from trainer.aggregation.views import MODIFIER_MARK
from trainer.exams import name_exams
from trainer.networks.settings import Unit
from trainer.units import build_units

_CARRIED: Final = ("cancer", "fold")
_EXAM: Final = "exam:"
_PATIENT: Final = "patient:"  # a patient's hash is never that of an image whose UID is the same


def key_path(manifest: Path) -> Path:
    """Where the id key of a manifest is kept unless another is named: beside it."""
    return manifest.with_suffix(".key")


def prediction_table(
    manifest: pd.DataFrame,
    logits: NDArray[np.float64],
    recipe_hash: str,
    key: bytes | None,
    unit: Unit = "image",
) -> pd.DataFrame:
    """One row per image of `manifest` that has a logit (is not NaN), in its order.

    `key` makes patient and exam ids into hashes; None keeps them and names images as `raw_ids`
    does. exam_id is that of `name_exams`, or the patient where she is one exam. view_modifiers are
    joined by ";". `unit` is what was scored: for breasts and exams unit_id names the first image of
    its unit with a score. cancer and fold come along where the manifest has them.
    """
    scored = np.isfinite(logits)
    names = manifest["image_id"] if key is not None else raw_ids(manifest)
    rows = manifest[scored].reset_index(drop=True)
    patients = name_patients(manifest, "patient_id")
    exams = name_exams(manifest)
    table = pd.DataFrame(
        {
            "image_id": names[scored].reset_index(drop=True),
            "patient_id": _hashed(patients[scored], _PATIENT, key),
            "exam_id": _exam_ids(patients[scored], exams[scored], key),
            "laterality": side(rows["laterality"]),
            "view": rows["view"],
            "view_modifiers": rows["view_modifiers"].map(MODIFIER_MARK.join),
        }
    )
    if unit != "image":
        table["unit_id"] = _units(manifest, names, scored, unit)
    table["prob"], table["logit"] = expit(logits[scored]), logits[scored]
    for column in _CARRIED:
        if column in rows.columns:
            table[column] = rows[column]
    return table.assign(recipe_hash=recipe_hash)


def raw_ids(manifest: pd.DataFrame) -> "pd.Series[str]":
    """The SOP Instance UID of each image, with ":" and the frame where it has several images."""
    uids = manifest["sop_instance_uid"]
    several = uids.duplicated(keep=False)
    return uids.where(~several, uids + ":" + manifest["frame"].astype("string").fillna(""))


def rows_behind(scores: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The row of the manifest behind each score, in the order of the scores.

    Images are found by their keyed ids, else by their raw ones. Raises DatasetError where one is
    not in the manifest.
    """
    missing = len(scores)
    for names in (manifest["image_id"], raw_ids(manifest)):
        known = dict(zip(names, range(len(names)), strict=True))
        places = scores["image_id"].map(known)
        if places.notna().all():
            return manifest.iloc[places.to_numpy(np.intp)].reset_index(drop=True)
        missing = min(missing, int(places.isna().sum()))
    raise DatasetError(
        f"{missing:,} of {len(scores):,} predicted images are not in the manifest; "
        "name the one they were predicted from; for DICOM files, predict with the --id-key beside "
        "the manifest, or scan with that beside the predictions"
    )


def _exam_ids(patients: "pd.Series[str]", exams: "pd.Series[str]", key: bytes | None) -> list[str]:
    """The exam of each row, hashed with `key` together with its patient.

    Without a key the exam's own name, or that of the patient whose only exam it is.
    """
    own = exams.where(exams != "", patients)
    return own.to_list() if key is None else _hashed(patients + "\0" + exams, _EXAM, key)


def _hashed(names: "pd.Series[str]", kind: str, key: bytes | None) -> list[str]:
    if key is None:
        return names.to_list()
    hashes = {name: image_id(key, kind + name) for name in set(names)}
    return [hashes[name] for name in names]


def _units(
    manifest: pd.DataFrame, names: "pd.Series[str]", scored: NDArray[np.bool_], unit: Unit
) -> list[str]:
    """The name of the unit of each image with a score."""
    members = build_units(manifest, unit).members
    has_score = (members != EMPTY) & scored[members]
    firsts = members[np.arange(len(members)), has_score.argmax(axis=1)]
    owners = np.empty(len(manifest), dtype=np.int64)
    rows, places = np.nonzero(members != EMPTY)
    owners[members[rows, places]] = firsts[rows]
    return names.iloc[owners[scored]].to_list()
