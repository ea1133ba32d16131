"""The AUC of each variant on the committed table: the product, plain Python, literal numbers."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from tests.trainer.aggregation import by_hand, make_scores
from trainer.aggregation.levels import Level, aggregate
from trainer.aggregation.policy import parse_aggregation
from trainer.metrics.figures import score_figures
from trainer.scores.reading import read_predictions

ROWS = by_hand.read_rows()
BREAST, EXAM, PATIENT = by_hand.breast_auc, by_hand.exam_auc, by_hand.patient_auc

MEAN, NOISY_OR = by_hand.mean, by_hand.noisy_or
PLAIN_VIEWS = by_hand.without_odd(by_hand.displaced_alone(ROWS))

# level, text, the share of pairs in order as counted once, the same by the straight-line script
VARIANTS = [
    ("breast", "mean", "521/611", BREAST(ROWS, MEAN)),
    ("breast", "rsna-1st", "521/611", BREAST(ROWS, MEAN)),
    ("breast", "max", "484/611", BREAST(ROWS, max)),
    ("breast", "noisy-or", "927/1222", BREAST(ROWS, NOISY_OR)),
    ("breast", "top2", "1047/1222", BREAST(ROWS, by_hand.top2)),
    ("breast", "q75", "81/94", BREAST(ROWS, by_hand.q75)),
    ("breast", "mean,odd=drop", "513/611", BREAST(by_hand.without_odd(ROWS), MEAN)),
    (
        *("breast", "mean,implants=displaced", "11/13"),
        BREAST(by_hand.displaced_alone(ROWS), MEAN),
    ),
    ("breast", "mean,repeated=mean", "522/611", BREAST(by_hand.repeats_joined(ROWS), MEAN)),
    (
        *("breast", "mean,odd=drop,implants=displaced,repeated=mean", "39/47"),
        BREAST(by_hand.repeats_joined(PLAIN_VIEWS), MEAN),
    ),
    ("exam", "mean/max", "311/418", EXAM(ROWS, MEAN, max)),
    ("exam", "spr-1st", "311/418", EXAM(ROWS, MEAN, max)),
    ("exam", "spr-1st-code", "279/418", EXAM(ROWS, max, max)),
    ("exam", "mean/mean", "151/209", EXAM(ROWS, MEAN, MEAN)),
    ("exam", "noisy-or/noisy-or", "149/209", EXAM(ROWS, NOISY_OR, NOISY_OR)),
    ("patient", "mean/max/max", "58/75", PATIENT(ROWS, MEAN, max, max)),
    ("patient", "mean/max/mean", "23/30", PATIENT(ROWS, MEAN, max, MEAN)),
]


@pytest.mark.parametrize(("level", "text", "share", "by_script"), VARIANTS)
def test_the_auc_of_each_variant_is_the_one_by_hand(
    level: Level, text: str, share: str, by_script: Fraction
) -> None:
    table = aggregate(read_predictions(by_hand.SCORES), level, parse_aggregation(text))
    labels, probs = table["cancer"].to_numpy(np.int64), table["prob"].to_numpy(np.float64)
    assert by_script == Fraction(share)
    assert score_figures(labels, probs)["auroc"] == pytest.approx(float(by_script), abs=1e-12)


def test_the_scores_are_those_by_hand() -> None:
    table = aggregate(read_predictions(by_hand.SCORES), "breast", parse_aggregation("q75"))
    keys = zip(table["patient_id"], table["exam_id"], table["laterality"], strict=True)
    found = dict(zip(keys, table["prob"], strict=True))
    assert found == {k: float(v) for k, v in by_hand.breast_scores(ROWS, by_hand.q75).items()}


@pytest.mark.parametrize("seed", range(8))
def test_other_tables_of_the_kind_agree_too(seed: int) -> None:
    rows = [dict(zip(make_scores.COLUMNS, row, strict=True)) for row in make_scores.rows(seed)]
    table = pd.DataFrame(rows).assign(prob=[float(row["prob"]) for row in rows])
    kept = by_hand.repeats_joined(by_hand.without_odd(by_hand.displaced_alone(rows)))
    how = parse_aggregation("q75/noisy-or/top2,repeated=mean,odd=drop,implants=displaced")
    patients = aggregate(table, "patient", how).set_index("patient_id")["prob"].to_dict()
    wanted = by_hand.patient_scores(kept, by_hand.q75, NOISY_OR, by_hand.top2)
    assert patients == pytest.approx({key: float(score) for key, score in wanted.items()})


def test_the_table_has_what_the_policies_are_about() -> None:
    table = read_predictions(by_hand.SCORES)
    assert table["exam_id"].nunique() == 30 > table["patient_id"].nunique()
    assert {"ML", "XCCL"} < set(table["view"])
    assert {"ID", "M;S"} < set(table["view_modifiers"])
    assert "?" in set(table["laterality"])
    breasts = aggregate(table, "breast")["images"]
    assert {1, 2, 3, 4} <= set(breasts)
    assert set(aggregate(table, "exam")["breasts"]) >= {1, 2, 3}
