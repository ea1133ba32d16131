"""Which exams a reader should see: those that the network got most wrong, and most right."""

from dataclasses import dataclass
from typing import Final

import pandas as pd

_KEYS: Final = ["prob", "patient_id", "exam_id"]


@dataclass(frozen=True, slots=True)
class ExamGroup:
    """Exams of one kind, `exams` a table of scores with a row each, the most telling first."""

    title: str
    exams: pd.DataFrame


def choose_exams(exams: pd.DataFrame, count: int) -> list[ExamGroup]:
    """Up to `count` exams of each kind, the worst kinds first; no exam is in two.

    `exams` has patient_id, exam_id, prob and cancer, a row an exam; those without a label are left
    out, as are kinds of which there is none.
    """
    ordered = exams[exams["cancer"].notna()].sort_values(_KEYS, kind="stable")
    positive, negative = ordered[ordered["cancer"] == 1], ordered[ordered["cancer"] == 0]
    missed, found = _ends(positive, count)
    alarms, cleared = _ends(negative[::-1], count)
    groups = [
        ExamGroup("Cancer, lowest scores", missed),
        ExamGroup("No cancer, highest scores", alarms),
        ExamGroup("Cancer, highest scores", found),
        ExamGroup("No cancer, lowest scores", cleared),
    ]
    return [group for group in groups if len(group.exams)]


def _ends(worst_first: pd.DataFrame, count: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first `count` rows, and of the others the last `count`, the last one first."""
    worst, rest = worst_first[:count], worst_first[count:]
    return worst, rest[::-1][:count]
