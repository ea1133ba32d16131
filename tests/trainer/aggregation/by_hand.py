"""The aggregation of scores.csv once more, in plain Python without anything of the product.

Each variant is written out with loops over lists, so that it can be checked by eye. All numbers are
fractions, so that nothing is rounded and a tie is a tie.
"""

import csv
from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

SCORES = Path(__file__).with_name("scores.csv")

Row = dict[str, str]
Join = Callable[[list[Fraction]], Fraction]


def read_rows() -> list[Row]:
    """The rows of the committed table."""
    with SCORES.open(newline="") as file:
        return list(csv.DictReader(file))


def auc(scored: Iterable[tuple[Fraction, int]]) -> Fraction:
    """The share of pairs of a positive and a negative that are in order; a tie is half a pair."""
    pairs = list(scored)
    won, count = Fraction(0), 0
    for high, is_positive in pairs:
        for low, is_other in pairs:
            if is_positive == 1 and is_other == 0:
                count += 1
                won += 1 if high > low else Fraction(1, 2) if high == low else 0
    return won / count


def breast_scores(rows: list[Row], views: Join) -> dict[tuple[str, str, str], Fraction]:
    """One score a side of an exam."""
    found: dict[tuple[str, str, str], list[Fraction]] = defaultdict(list)
    for row in rows:
        found[row["patient_id"], row["exam_id"], row["laterality"]].append(Fraction(row["prob"]))
    return {key: views(scores) for key, scores in found.items()}


def exam_scores(rows: list[Row], views: Join, breasts: Join) -> dict[tuple[str, str], Fraction]:
    """One score an exam."""
    found: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
    for (patient, exam, _side), score in breast_scores(rows, views).items():
        found[patient, exam].append(score)
    return {key: breasts(scores) for key, scores in found.items()}


def patient_scores(rows: list[Row], views: Join, breasts: Join, exams: Join) -> dict[str, Fraction]:
    """One score a patient."""
    found: dict[str, list[Fraction]] = defaultdict(list)
    for (patient, _exam), score in exam_scores(rows, views, breasts).items():
        found[patient].append(score)
    return {key: exams(scores) for key, scores in found.items()}


def breast_auc(kept: list[Row], views: Join) -> Fraction:
    """The AUC of breasts whose score comes from the rows kept, and their label from all rows."""
    labels: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in read_rows():
        key = (row["patient_id"], row["exam_id"], row["laterality"])
        labels[key] = max(labels[key], int(row["cancer"]))
    return auc((score, labels[key]) for key, score in breast_scores(kept, views).items())


def exam_auc(kept: list[Row], views: Join, breasts: Join) -> Fraction:
    """As `breast_auc`, of exams."""
    labels: dict[tuple[str, str], int] = defaultdict(int)
    for row in read_rows():
        key = (row["patient_id"], row["exam_id"])
        labels[key] = max(labels[key], int(row["cancer"]))
    return auc((score, labels[key]) for key, score in exam_scores(kept, views, breasts).items())


def patient_auc(kept: list[Row], views: Join, breasts: Join, exams: Join) -> Fraction:
    """As `breast_auc`, of patients."""
    labels: dict[str, int] = defaultdict(int)
    for row in read_rows():
        labels[row["patient_id"]] = max(labels[row["patient_id"]], int(row["cancer"]))
    scores = patient_scores(kept, views, breasts, exams)
    return auc((score, labels[key]) for key, score in scores.items())


def mean(scores: list[Fraction]) -> Fraction:
    """Their sum over their number."""
    return sum(scores, Fraction(0)) / len(scores)


def noisy_or(scores: list[Fraction]) -> Fraction:
    """1 - (1 - a)(1 - b)...."""
    none = Fraction(1)
    for score in scores:
        none *= 1 - score
    return 1 - none


def top2(scores: list[Fraction]) -> Fraction:
    """The mean of the two greatest."""
    return mean(sorted(scores)[-2:])


def q75(scores: list[Fraction]) -> Fraction:
    """The 75 % quantile, linear between neighbors."""
    ordered = sorted(scores)
    place = Fraction(3, 4) * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def _breast(row: Row) -> tuple[str, str]:
    return row["exam_id"], row["laterality"]


def _plain(row: Row) -> str:
    """The modifiers of a view but for the displaced implant."""
    return ";".join(part for part in row["view_modifiers"].split(";") if part != "ID")


def without_odd(rows: list[Row]) -> list[Row]:
    """CC and MLO alone, in each breast that has one."""
    good = [row for row in rows if row["view"] in ("CC", "MLO") and _plain(row) == ""]
    have_good = {_breast(row) for row in good}
    return good + [row for row in rows if _breast(row) not in have_good]


def displaced_alone(rows: list[Row]) -> list[Row]:
    """Of each view that a breast has with the implant displaced, only that."""
    displaced = {
        (*_breast(row), row["view"], _plain(row))
        for row in rows
        if "ID" in row["view_modifiers"].split(";")
    }
    return [
        row
        for row in rows
        if "ID" in row["view_modifiers"].split(";")
        or (*_breast(row), row["view"], _plain(row)) not in displaced
    ]


def repeats_joined(rows: list[Row]) -> list[Row]:
    """One row a view of a breast, with the mean of its scores."""
    found: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        found[*_breast(row), row["view"], row["view_modifiers"]].append(row)
    return [
        {**same[0], "prob": str(mean([Fraction(row["prob"]) for row in same]))}
        for same in found.values()
    ]
