import json

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from trainer.aggregation.policy import parse_aggregation
from trainer.decisions.decision import Decision
from trainer.evaluation.comparison import compare
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.delong import delong_compare

QUICK = EvaluationOptions(repeats=50)


def _scores(noise: float, patients: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    sides = [f"p{n}" for n in range(patients) for _ in "LR"]
    cancer = np.array([int(n % 4 == 0) for n in range(patients) for _ in "LR"])
    prob = np.clip(0.3 + 0.3 * cancer + rng.normal(0, noise, len(sides)), 0, 1)
    return pd.DataFrame(
        {
            "image_id": [f"i{n}" for n in range(len(sides))],
            "patient_id": sides,
            "laterality": list("LR") * patients,
            "prob": prob,
            "cancer": pd.array(cancer, dtype="Int64"),
        }
    )


GOOD, BAD = _scores(0.1), _scores(0.6)


def test_a_better_model_is_better_on_each_level_and_surely_so() -> None:
    for level, found in compare(GOOD, BAD, QUICK).items():
        auroc = found.differences["auroc"]
        assert auroc is not None
        expected = [evaluate(scores, QUICK).levels[level].figures for scores in (GOOD, BAD)]
        assert found.figures == expected[0]
        assert found.other == expected[1]
        assert auroc.difference == pytest.approx(expected[0]["auroc"] - expected[1]["auroc"])  # type: ignore[operator]
        assert auroc.interval.low > 0
        assert auroc.p < 0.05


def test_the_other_way_round_is_the_same_with_the_other_sign() -> None:
    one, other = compare(GOOD, BAD, QUICK)["breast"], compare(BAD, GOOD, QUICK)["breast"]
    for name, found in one.differences.items():
        mirrored = other.differences[name]
        assert (found is None) == (mirrored is None)
        if found is not None and mirrored is not None:
            assert mirrored.difference == pytest.approx(-found.difference)
            assert mirrored.interval.high == pytest.approx(-found.interval.low)


def test_a_model_is_no_better_than_itself() -> None:
    auroc = compare(GOOD, GOOD, QUICK)["patient"].differences["auroc"]
    assert auroc is not None
    assert (auroc.difference, auroc.p) == (0.0, 1.0)


def test_images_are_matched_by_name_and_labels_are_those_of_the_first() -> None:
    shuffled = BAD.sample(frac=1, random_state=1, ignore_index=True).drop(columns="cancer")
    assert compare(GOOD, shuffled, QUICK) == compare(GOOD, BAD, QUICK)


def test_delong_compares_where_every_patient_has_one_row() -> None:
    found = compare(GOOD, BAD, QUICK)
    assert found["image"].delong is found["breast"].delong is None
    tables = [scores.groupby("patient_id", sort=True).max() for scores in (BAD, GOOD)]
    labels = tables[0]["cancer"].to_numpy(np.int64)
    expected = delong_compare(labels, *(table["prob"].to_numpy() for table in tables))
    assert found["patient"].delong == expected is not None


def test_each_model_is_judged_by_its_own_threshold() -> None:
    own = EvaluationOptions(repeats=20, decision=Decision("breast", "f1", 0.45))
    other = EvaluationOptions(repeats=20, decision=Decision("breast", "f1", 0.9))
    found = compare(GOOD, BAD, own, other)
    figures = found["breast"]
    recalls = [
        float((scores["prob"][scores["cancer"] == 1] >= level).mean())
        for scores, level in ((GOOD, 0.45), (BAD, 0.9))
    ]
    assert [figures.figures["recall"], figures.other["recall"]] == pytest.approx(recalls)
    recall = figures.differences["recall"]
    assert recall is not None
    assert recall.difference == pytest.approx(recalls[0] - recalls[1])
    assert "recall" not in found["patient"].differences
    assert "recall" not in compare(GOOD, BAD, own, QUICK)["breast"].differences


def test_each_model_is_joined_by_its_own_rules_and_units() -> None:
    by_max = EvaluationOptions(repeats=0, how=parse_aggregation("max/max"))
    by_mean = EvaluationOptions(repeats=0, how=parse_aggregation("mean/mean"))
    found = compare(GOOD, GOOD, by_max, by_mean)["patient"]
    assert found.figures == evaluate(GOOD, by_max).levels["patient"].figures
    assert found.other == evaluate(GOOD, by_mean).levels["patient"].figures
    exams = BAD.assign(unit_id=BAD["image_id"].where(BAD["laterality"] == "L").ffill())
    same = exams.assign(prob=exams.groupby("unit_id")["prob"].transform("first"))
    other = compare(GOOD, same, by_mean)["patient"].other
    assert other == evaluate(same, by_mean).levels["patient"].figures


def test_no_draws_make_no_differences() -> None:
    found = compare(GOOD, BAD, EvaluationOptions(repeats=0))["patient"]
    assert set(found.differences.values()) == {None}
    assert found.figures["auroc"] is not None


def test_other_images_are_refused() -> None:
    message = "not score the same images: 2 of 160 are in the first alone and 0 of 158 in the other"
    with pytest.raises(DatasetError, match=message):
        compare(GOOD, BAD[2:], QUICK)
    with pytest.raises(DatasetError, match=r"0 of 159 .* and 1 of 160 in the other"):
        compare(GOOD[1:], BAD, QUICK)
    with pytest.raises(DatasetError, match="prob must hold"):
        compare(GOOD, BAD.assign(prob=2.0), QUICK)


def test_the_document_is_plain() -> None:
    document = compare(GOOD, BAD, QUICK)["patient"].to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    auroc = document["differences"]["auroc"]
    assert auroc["interval"][0] < auroc["difference"] < auroc["interval"][1]
    assert set(document["delong"]) == {"difference", "interval", "p"}
