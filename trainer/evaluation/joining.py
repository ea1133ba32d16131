"""A manifest beside a table of scores: labels, and what the scores can be split by."""

from typing import Final

import pandas as pd

from dali_pipelines.errors import DatasetError
from dali_pipelines.patient_groups import name_patients
from trainer.evaluation.groups import split_columns
from trainer.exams import name_exams
from trainer.scores.table import rows_behind

_LABEL: Final = "cancer"
_EXAM: Final = "named_exam"


def join_manifest(scores: pd.DataFrame, manifest: pd.DataFrame) -> pd.DataFrame:
    """The scores, in their order, with labels and the columns of `groups.GROUPS`.

    Images are found by their keyed ids, else by their raw ones. A label of the manifest takes the
    place of that of the scores; where the manifest has none at all, theirs stay. Who the patient is
    and what the image shows come from the manifest where the scores do not say.

    Raises DatasetError where an image is not in the manifest, or there is no label on either side.
    """
    # what an exam is takes all images of the manifest to say
    rows = rows_behind(scores, manifest.assign(**{_EXAM: name_exams(manifest)}))
    joined = scores.copy()
    if _LABEL in rows.columns and rows[_LABEL].notna().any():
        joined[_LABEL] = rows[_LABEL].astype("Int64").array
    elif _LABEL not in joined.columns:
        raise DatasetError(
            "neither the predictions nor the manifest have labels (column 'cancer'); scan with "
            "--adapter auto, or --labels TABLE"
        )
    patients = name_patients(rows, "patient_id")
    known = {
        "patient_id": patients,
        "exam_id": rows[_EXAM].where(rows[_EXAM] != "", patients),
        **dict.fromkeys(("laterality", "view"), _unknown(rows)),
        **split_columns(rows),
    }
    for name, values in known.items():
        if name not in joined.columns:
            joined[name] = values.array
    return joined


def _unknown(rows: pd.DataFrame) -> "pd.Series[str]":
    return pd.Series("", rows.index, dtype="str")
