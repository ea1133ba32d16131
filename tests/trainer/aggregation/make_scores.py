"""How scores.csv was made, once: `python -m tests.trainer.aggregation.make_scores > scores.csv`.

30 exams of 25 patients as screening has them: four views, and now and then a repeated, a missing,
a spot-magnified, a lateral or an implant-displaced one, a breast that is missing, an unknown side.
Scores are multiples of 1/64: there are ties, and their sums are exact. The seed is one of the first
with which every kind of view is there and no two variants have the same AUC.
"""

import csv
import random
import sys
from collections.abc import Iterator

COLUMNS = (
    *("image_id", "patient_id", "exam_id", "laterality", "view", "view_modifiers", "prob"),
    "cancer",
)
EXAMS, PATIENTS, CANCERS, UNKNOWN = 30, 25, 0.2, 0.03
USUAL = ("CC", "MLO")
BREASTS = {  # the views of a breast, with their modifiers, and how many such breasts there are
    USUAL: 50,
    (): 6,
    ("CC",): 8,
    ("CC", "CC", "MLO"): 7,
    ("CC", "MLO", "MLO"): 7,
    (*USUAL, "ML"): 8,
    (*USUAL, "CC M;S", "XCCL"): 6,
    (*USUAL, "CC ID", "MLO ID"): 5,
    (*USUAL, "CC ID", "CC ID"): 3,
}


def rows(seed: int) -> Iterator[tuple[str, ...]]:
    """The rows of the table, as text."""
    draw = random.Random(seed)
    number = 0
    for exam in range(EXAMS):
        for side in "LR":
            cancer = draw.random() < CANCERS
            (views,) = draw.choices(list(BREASTS), list(BREASTS.values()))
            for view in views:
                shown = "?" if draw.random() < UNKNOWN else side
                score = min(max(draw.gauss(0.48 if cancer else 0.3, 0.17), 0.02), 0.98)
                names = (f"i{number:03d}", f"p{exam % PATIENTS:02d}", f"e{exam:02d}", shown)
                name, _, modifiers = view.partition(" ")
                yield (*names, name, modifiers, str(round(score * 64) / 64), str(int(cancer)))
                number += 1


if __name__ == "__main__":
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(seed=8))
