"""Which images were made in one exam."""

import pandas as pd

from dali_pipelines.patient_groups import name_patients


def name_exams(frame: pd.DataFrame) -> "pd.Series[str]":
    """The exam of each image of a manifest, a name within its patient: study, else exam_id.

    "" where neither is known, and where every study of a patient holds one image, as in CBIS-DDSM:
    there the studies say nothing, and the patient is taken for one exam.
    """
    study = frame["study_instance_uid"].astype("string").fillna("")
    study = study.where(study != "", frame["exam_id"].astype("string").fillna(""))
    keys = pd.DataFrame({"patient": name_patients(frame, "patient_id"), "study": study})
    sizes = keys.groupby(["patient", "study"])["study"].transform("size")
    apart = sizes.groupby(keys["patient"]).transform("max") == 1
    return study.mask(apart, "")
