"""Drawing patients: against theory, against drawing by hand, and by patient, not by row."""

import numpy as np
import pytest

from trainer.intervals import bootstrap
from trainer.intervals.bootstrap import patient_bootstrap, spreads_of_draws, units_of
from trainer.intervals.interval import Interval
from trainer.metrics.figures import SCORE_FIGURES, THRESHOLD_FIGURES, score_figures
from trainer.metrics.ranked import Floats

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def rows_of(patients: int, seed: int = 0) -> Rows:
    """One row of each patient: labels, scores and patients; half are positive, and score higher."""
    rng = np.random.default_rng(seed)
    labels = np.arange(patients) % 2
    probs = np.clip(rng.normal(0.35 + 0.15 * labels, 0.15), 0, 1)
    return labels, probs, np.arange(patients)


def width(found: Interval | None) -> float:
    assert found is not None
    return found.high - found.low


def test_the_interval_is_as_wide_as_theory_says() -> None:
    labels, probs, patients = rows_of(400)
    found = patient_bootstrap(labels, probs, patients, ["auroc"], repeats=2000)["auroc"]
    a = float(score_figures(labels, probs)["auroc"] or 0)
    pairs = (a * (1 - a), a / (2 - a) - a**2, 2 * a**2 / (1 + a) - a**2)
    variance = (pairs[0] + 199 * (pairs[1] + pairs[2])) / 200**2  # Hanley and McNeil 1982
    assert width(found) == pytest.approx(2 * 1.96 * variance**0.5, rel=0.1)
    assert found is not None
    assert found.low < a < found.high


def test_the_error_of_a_mean_is_that_of_the_means_of_patients() -> None:
    """The Brier score is a mean over rows, whose error over equal patients is plain arithmetic."""
    labels, probs, _ = rows_of(300)
    patients = np.repeat(np.arange(100), 3)
    means = ((probs - labels) ** 2).reshape(100, 3).mean(axis=1)

    def brier(weights: Floats) -> dict[str, Floats]:
        return {"brier": weights @ (probs - labels) ** 2 / weights.sum(axis=1)}

    spread = spreads_of_draws(brier, patients, repeats=4000, seed=0)["brier"]
    assert spread == pytest.approx((means.mean(), means.std() / 10), rel=0.03)


def test_every_figure_of_a_draw_is_of_the_same_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, _, patients = rows_of(30)
    seen = []

    def values(weights: Floats) -> dict[str, Floats]:
        seen.append(weights)
        return {"positives": weights @ labels}

    monkeypatch.setattr(bootstrap, "_CELLS", 30 * 7)
    spreads_of_draws(values, patients // 3, repeats=20, seed=3)
    whole, *blocks = seen
    np.testing.assert_array_equal(whole, np.ones((1, 30)))
    assert [len(block) for block in blocks] == [7, 7, 6]
    drawn = np.concatenate(blocks)
    by_patient = drawn.reshape(20, 10, 3)
    assert (by_patient == by_patient[:, :, :1]).all()  # all of her rows, equally often
    assert (by_patient[:, :, 0].sum(axis=1) == 10).all()  # as many patients as there are
    assert len({tuple(weights) for weights in drawn}) > 15


def ends(found: dict[str, Interval | None]) -> dict[str, float]:
    return {
        f"{name} {side}": getattr(interval, side)
        for name, interval in found.items()
        if interval is not None
        for side in ("low", "high")
    }


def test_draws_held_at_a_time_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, probs, patients = rows_of(40)
    ask = {"figures": [*SCORE_FIGURES, *THRESHOLD_FIGURES], "repeats": 50, "threshold": 0.4}
    found = patient_bootstrap(labels, probs, patients, **ask)
    assert patient_bootstrap(labels, probs, patients, **ask) == found
    assert ends(patient_bootstrap(labels, probs, patients, **ask, seed=1)) != ends(found)
    monkeypatch.setattr(bootstrap, "_CELLS", 1)
    assert ends(patient_bootstrap(labels, probs, patients, **ask)) == pytest.approx(ends(found))


def test_the_order_of_rows_and_the_names_of_patients_do_not_matter() -> None:
    labels, probs, patients = rows_of(40)
    found = patient_bootstrap(labels, probs, patients, SCORE_FIGURES, repeats=50)
    names = np.array([f"p{patient:03}" for patient in patients])
    other = np.random.default_rng(0).permutation(40)
    again = patient_bootstrap(labels[other], probs[other], names[other], SCORE_FIGURES, repeats=50)
    assert ends(again) == pytest.approx(ends(found))


def test_more_images_of_the_same_patients_tell_nothing_new() -> None:
    labels, probs, patients = rows_of(60)
    once = patient_bootstrap(labels, probs, patients, ["auroc"])["auroc"]
    often = [np.tile(column, 4) for column in (labels, probs, patients)]
    found = patient_bootstrap(*often, ["auroc"])["auroc"]
    assert width(found) == pytest.approx(width(once))
    rows = patient_bootstrap(*often[:2], np.arange(240), ["auroc"])["auroc"]
    assert width(rows) == pytest.approx(width(once) / 2, rel=0.15)


def test_confidence_widens() -> None:
    labels, probs, patients = rows_of(60)
    names = [*SCORE_FIGURES[:-2], *THRESHOLD_FIGURES]
    usual = patient_bootstrap(labels, probs, patients, names, repeats=50, threshold=0.4)
    sure = patient_bootstrap(
        labels, probs, patients, names, repeats=50, threshold=0.4, confidence=0.99
    )
    assert all(width(sure[name]) > width(usual[name]) for name in names)


def test_perfect_order_of_few_is_not_certainty() -> None:
    labels, patients = np.repeat([0, 1], 10), np.arange(20)
    found = patient_bootstrap(labels, labels * 0.9, patients, ["auroc", "recall"], threshold=0.5)
    for interval in found.values():
        assert interval is not None
        assert interval.high == 1.0
        assert interval.low == pytest.approx(10 / (10 + 2.262157**2))


def test_units_are_the_patients_of_the_rarer_class() -> None:
    labels = np.array([1, 1, 0, 0, 0, 1])
    patients = np.array(list("aabbcd"))
    assert units_of("auroc", labels, patients) == 2
    labels[2:] = [0, 0, 0, 0]
    assert units_of("auroc", labels, patients) == 1
    assert units_of("specificity", labels, patients) == 3
    assert units_of("brier", np.zeros(6), patients) == 4


@pytest.mark.parametrize(
    ("labels", "without"),
    [
        ([0, 0, 0, 0], {"auroc", "auprc", "pf1", "recall", "f1"}),
        ([0, 0, 0, 1], {"auroc", "auprc", "pf1", "recall", "f1", "brier", "logloss"}),
        ([], {"auroc", "auprc", "pf1", "recall", "f1", "brier", "logloss", "specificity"}),
    ],
)
def test_what_too_few_patients_define_has_no_interval(labels: list[int], without: set[str]) -> None:
    probs, patients = np.linspace(0.1, 0.4, len(labels)), np.arange(len(labels))
    names = ["auroc", "auprc", "pf1", "recall", "f1", "brier", "logloss", "specificity"]
    found = patient_bootstrap(np.array(labels, int), probs, patients, names, threshold=0.35)
    assert {name for name, interval in found.items() if interval is None} == without


def test_calibration_errors_and_no_draws_have_no_interval() -> None:
    labels, probs, patients = rows_of(40)
    found = patient_bootstrap(labels, probs, patients, ["ece", "ece_mass", "brier"])
    assert (found["ece"], found["ece_mass"]) == (None, None)
    assert found["brier"] is not None
    assert patient_bootstrap(labels, probs, patients, ["brier"], repeats=0) == {"brier": None}
