import json

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.aggregation.levels import aggregate
from trainer.aggregation.policy import parse_aggregation
from trainer.decisions.calibration import Calibration
from trainer.decisions.decision import Decision
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.evaluation import FEWEST, LevelFigures
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.delong import delong_interval
from trainer.metrics.figures import evaluate_scores

# Two women; the first was seen twice. Breast means: .9 .2 (exam 1) .3 .1 (exam 2) .5 .3 (B)
SCORES = pd.DataFrame(
    [
        ("A", "1", "L", "CC", 0.95, 1, "GE"),
        ("A", "1", "L", "MLO", 0.85, 1, "GE"),
        ("A", "1", "R", "CC", 0.2, 0, "GE"),
        ("A", "2", "L", "CC", 0.3, 0, "Hologic"),
        ("A", "2", "R", "CC", 0.1, 0, "Hologic"),
        ("B", "3", "L", "CC", 0.4, 0, "Hologic"),
        ("B", "3", "L", "MLO", 0.6, 0, "Hologic"),
        ("B", "3", "R", "CC", 0.3, 0, ""),
        ("B", "3", "R", "MLO", 0.7, None, ""),
    ],
    columns=["patient_id", "exam_id", "laterality", "view", "prob", "cancer", "vendor"],
).assign(image_id=list("abcdefghi"))
QUICK = EvaluationOptions(repeats=20)


def _many(patients: int = 60, seed: int = 0) -> pd.DataFrame:
    """As many women, a third with cancer, with two images of each breast."""
    rng = np.random.default_rng(seed)
    frame = pd.MultiIndex.from_product([range(patients), list("LR"), ["CC", "MLO"]]).to_frame(
        index=False
    )
    frame.columns = ["patient_id", "laterality", "view"]
    cancer = ((frame["patient_id"] % 3 == 0) & (frame["laterality"] == "L")).astype(int)
    prob = np.clip(rng.normal(0.3, 0.1, len(frame)) + 0.1 * cancer, 0, 1)
    ids = "p" + frame["patient_id"].astype(str)
    return frame.assign(patient_id=ids, cancer=cancer, prob=prob, image_id=frame.index.astype(str))


def test_each_level_has_the_figures_of_its_own_rows() -> None:
    levels = evaluate(SCORES, QUICK).levels
    assert {level: found.figures["n"] for level, found in levels.items()} == {
        "image": 8,
        "breast": 6,
        "exam": 3,
        "patient": 2,
    }
    assert {found.patients for found in levels.values()} == {2}
    assert {found.patients_with_cancer for found in levels.values()} == {1}
    assert levels["breast"].figures["auroc"] == 1.0
    assert levels["image"].figures["npos"] == 2


def test_the_figures_are_those_that_training_shows() -> None:
    scores = _many()
    levels = evaluate(scores, QUICK).levels
    for name, value in evaluate_scores(scores).items():
        level, _, figure = name.partition("/")
        assert levels[level].figures[figure] == value  # type: ignore[index]


def test_the_figures_are_those_of_others_on_tables_made_by_hand() -> None:
    """scikit-learn's figures, of means of a breast's images and the greatest breast of a woman."""
    scores = _many()
    breasts = scores.groupby(["patient_id", "laterality"])[["prob", "cancer"]]
    breast = breasts.agg({"prob": "mean", "cancer": "max"})
    patient = breast.groupby("patient_id").max()
    levels = evaluate(scores, EvaluationOptions(repeats=0, threshold=0.35)).levels
    for level, table in (("image", scores), ("breast", breast), ("patient", patient)):
        labels, probs = table["cancer"], table["prob"]
        called = probs >= 0.35
        expected = {
            "n": len(table),
            "npos": labels.sum(),
            "auroc": metrics.roc_auc_score(labels, probs),
            "auprc": metrics.average_precision_score(labels, probs),
            "pauc_spec80": metrics.roc_auc_score(labels, probs, max_fpr=0.2),
            "brier": metrics.brier_score_loss(labels, probs),
            "logloss": metrics.log_loss(labels, probs),
            "precision": metrics.precision_score(labels, called),
            "recall": metrics.recall_score(labels, called),
            "specificity": metrics.recall_score(labels, called, pos_label=0),
            "f2": metrics.fbeta_score(labels, called, beta=2),
        }
        figures = levels[level].figures  # type: ignore[index]
        assert {name: figures[name] for name in expected} == pytest.approx(expected)


def test_images_without_a_label_are_counted_and_left_out() -> None:
    evaluation = evaluate(SCORES, QUICK)
    assert (evaluation.images, evaluation.unlabeled) == (8, 1)
    assert evaluate(SCORES[:8], QUICK).levels == evaluation.levels


def test_the_rules_of_aggregation_are_taken() -> None:
    scores = SCORES.assign(prob=[0.4, 0.8, 0.2, 0.3, 0.1, 0.7, 0.6, 0.3, 0.9])
    by_mean = evaluate(scores, QUICK).levels["breast"].figures["auroc"]
    how = parse_aggregation("max/max")
    by_max = evaluate(scores, EvaluationOptions(how=how, repeats=0)).levels["breast"].figures
    assert (by_mean, by_max["auroc"]) == (0.8, 1.0)  # .6 against .65, .8 against .7


def test_a_subgroup_is_evaluated_as_if_it_were_all() -> None:
    options = EvaluationOptions(by=("vendor", "view"), repeats=20)
    evaluation = evaluate(SCORES, options)
    for name, groups in evaluation.subgroups.items():
        for group in groups:
            value = "" if group.value == "unknown" else group.value
            alone = evaluate(SCORES[SCORES[name] == value], QUICK)
            assert group.levels == alone.levels
            assert group.images == alone.images
    assert [group.value for group in evaluation.subgroups["vendor"]] == ["GE", "Hologic", "unknown"]


def test_a_patient_of_two_vendors_is_in_both_with_the_exams_of_each() -> None:
    groups = evaluate(SCORES, EvaluationOptions(by=("vendor",), repeats=0)).subgroups["vendor"]
    found = [group.levels["patient"] for group in groups]
    assert [level.patients for level in found] == [1, 2, 1]
    assert [level.patients_with_cancer for level in found] == [1, 0, 0]


def test_a_subgroup_of_one_class_has_no_auroc_and_no_interval() -> None:
    group = evaluate(SCORES, EvaluationOptions(by=("vendor",), repeats=20)).subgroups["vendor"][1]
    found = group.levels["breast"]
    assert found.figures["auroc"] is None
    assert found.intervals["auroc"] is None
    assert found.figures["brier"] is not None
    assert found.is_small


def test_subgroups_may_be_evaluated_on_some_levels_only() -> None:
    options = EvaluationOptions(by=("view",), by_levels=("patient",), repeats=0)
    evaluation = evaluate(SCORES, options)
    assert set(evaluation.levels) == {"image", "breast", "exam", "patient"}
    assert [set(group.levels) for group in evaluation.subgroups["view"]] == [{"patient"}] * 2


def test_intervals_hold_the_figure_and_are_drawn_from_patients() -> None:
    levels = evaluate(_many(), EvaluationOptions(repeats=200, threshold=0.35)).levels
    for found in levels.values():
        assert set(found.intervals) == set(found.figures) - {"n", "npos", "tp", "fp", "fn", "tn"}
        interval = found.intervals["auroc"]
        assert interval is not None
        assert interval.low < found.figures["auroc"] < interval.high  # type: ignore[operator]
    apart = _many().assign(patient_id=[str(n) for n in range(240)])
    wide, narrow = (
        evaluate(scores, EvaluationOptions(levels=("image",), repeats=200)).levels["image"]
        for scores in (_alike(_many()), _alike(apart))
    )
    assert _width(wide) > 1.2 * _width(narrow)


def _alike(scores: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the four images of a woman alike but for what cancer adds."""
    first = scores["prob"].to_numpy().reshape(-1, 4)[:, :1].repeat(4, axis=1).ravel()
    return scores.assign(prob=first)


def _width(found: LevelFigures) -> float:
    interval = found.intervals["auroc"]
    assert interval is not None
    return interval.high - interval.low


def test_seed_and_confidence_decide_the_intervals() -> None:
    def width(**options: float) -> float:
        return _width(evaluate(_many(), EvaluationOptions(**options)).levels["image"])  # type: ignore[arg-type]

    assert width(repeats=100) == width(repeats=100)
    assert width(repeats=100) != width(repeats=100, seed=1)
    assert width(repeats=100, confidence=0.8) < width(repeats=100)


def test_the_order_of_rows_changes_nothing() -> None:
    scores = _many()
    turned = scores.sample(frac=1, random_state=3, ignore_index=True)
    first, second = (evaluate(rows, QUICK).levels["image"] for rows in (scores, turned))
    assert first.figures == pytest.approx(second.figures)
    assert _width(first) == pytest.approx(_width(second))


def test_no_draws_make_no_intervals() -> None:
    found = evaluate(SCORES, EvaluationOptions(repeats=0)).levels["breast"]
    assert set(found.intervals.values()) == {None}
    assert found.figures["auroc"] == 1.0


def test_delong_is_given_where_every_patient_has_one_row() -> None:
    scores = _many()
    levels = evaluate(scores, QUICK).levels
    assert levels["image"].delong is levels["breast"].delong is None
    patients = aggregate(scores, "patient")
    expected = delong_interval(patients["cancer"].to_numpy(), patients["prob"].to_numpy())
    assert levels["patient"].delong == expected is not None
    assert evaluate(SCORES, QUICK).levels["exam"].delong is None  # A has two


def test_few_patients_of_a_class_are_small() -> None:
    def found(sick: int, well: int) -> LevelFigures:
        return LevelFigures({}, {}, patients=sick + well, patients_with_cancer=sick)

    assert found(FEWEST - 1, 500).is_small
    assert found(500, FEWEST - 1).is_small
    assert not found(FEWEST, FEWEST).is_small


def test_a_threshold_counts_on_every_level_that_of_a_decision_on_its_own() -> None:
    decision = Decision("breast", "f1", 0.6)
    own = evaluate(SCORES, EvaluationOptions(repeats=0, decision=decision)).levels
    assert {level: found.threshold for level, found in own.items()} == {
        "image": None,
        "breast": 0.6,
        "exam": None,
        "patient": None,
    }
    assert own["breast"].figures["recall"] == 1.0
    assert "recall" not in own["image"].figures
    asked = EvaluationOptions(repeats=0, decision=decision, threshold=0.25)
    levels = evaluate(SCORES, asked).levels
    assert {found.threshold for found in levels.values()} == {0.25}
    assert [levels["breast"].figures[name] for name in ("tp", "fp", "fn", "tn")] == [1, 3, 0, 2]


@pytest.mark.parametrize("level", ["exam", "patient"])
def test_a_decision_on_exams_is_not_taken_for_one_on_patients(level: str) -> None:
    decision = Decision(level, "f1", 0.35)  # type: ignore[arg-type]
    levels = evaluate(_many(), EvaluationOptions(repeats=0, decision=decision)).levels
    assert [name for name, found in levels.items() if found.threshold is not None] == [level]


def test_calibration_shows_beside_the_scores_on_its_level() -> None:
    risks = Calibration("isotonic", knots=((0.0, 0.0), (0.5, 0.0), (0.9, 1.0)))
    options = EvaluationOptions(repeats=0, decision=Decision("breast", "f1", 0.6, risks))
    levels = evaluate(SCORES, options).levels
    assert levels["breast"].risk is not None
    assert levels["breast"].risk["brier"] == pytest.approx(0.0)
    assert levels["breast"].figures["brier"] == pytest.approx(
        (0.1**2 + 0.2**2 + 0.3**2 + 0.1**2 + 0.5**2 + 0.3**2) / 6
    )
    assert levels["patient"].risk is None


def test_the_document_is_plain_and_says_how_it_was_made() -> None:
    decision = Decision("breast", "f1", 0.6, chosen_on={"n": 6})
    options = EvaluationOptions(
        how=parse_aggregation("max/mean"), by=("vendor",), repeats=20, seed=3, decision=decision
    )
    document = evaluate(SCORES, options).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["aggregation"] == "max/mean/max"
    assert document["intervals"] == {
        "of": "patients",
        "confidence": 0.95,
        "repeats": 20,
        "seed": 3,
    }
    assert Decision.from_dict(document["decision"]) == decision
    breast = document["levels"]["breast"]
    assert breast["figures"]["auroc"] == 1.0
    assert breast["threshold"] == 0.6
    image = evaluate(_many(), QUICK).to_dict()["levels"]["image"]
    low, high = image["intervals"]["auroc"]
    assert low < image["figures"]["auroc"] < high
    hologic = document["subgroups"]["vendor"][1]
    assert (hologic["value"], hologic["images"]) == ("Hologic", 4)
    assert hologic["levels"]["breast"]["intervals"]["auroc"] is None
    assert hologic["levels"]["breast"]["small"]


def test_what_cannot_be_evaluated_is_said() -> None:
    with pytest.raises(ConfigError, match="cannot be split by 'color'"):
        EvaluationOptions(by=("color",))
    with pytest.raises(DatasetError, match="nothing is known of the density"):
        evaluate(SCORES, EvaluationOptions(by=("density",)))
    with pytest.raises(DatasetError, match="label"):
        evaluate(SCORES.assign(cancer=None), QUICK)
