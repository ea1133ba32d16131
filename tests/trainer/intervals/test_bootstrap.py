"""Drawing patients: against theory, against drawing by hand, and by patient, not by row."""

import numpy as np
import pytest

from trainer.intervals import bootstrap
from trainer.intervals.bootstrap import (
    error_of_draws,
    patient_bootstrap,
    spreads_of_draws,
    units_of,
)
from trainer.intervals.interval import Interval
from trainer.intervals.spread import proportion_interval
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


def test_a_figure_rests_on_the_patients_of_its_class() -> None:
    names = ["auroc", "specificity", "recall"]
    labels = np.array([1, 1, 0, 0, 0, 1])
    patients = np.array(list("aabbcd"))
    assert list(units_of(names, labels, patients).values()) == [2, 2, 2]
    labels[2:] = [0, 0, 0, 0]
    assert list(units_of(names, labels, patients).values()) == [1, 3, 1]
    assert list(units_of(names, 1 - labels, patients).values()) == [1, 1, 3]
    assert units_of(["brier"], np.zeros(6), patients) == {"brier": 4}


def test_precision_rests_on_the_patients_who_are_called() -> None:
    """Two of two are right, of 40 with cancer: that is no precision of 0.91 at least."""
    labels, patients = np.repeat([1, 0], 40), np.arange(80)
    probs = np.linspace(0.9, 0.1, 80)
    found = patient_bootstrap(labels, probs, patients, ["precision"], threshold=probs[1])
    assert found["precision"] == proportion_interval(1.0, 0.0, 2, 0.95)
    alone = patient_bootstrap(labels, probs, patients, ["precision"], threshold=probs[0])
    assert alone["precision"] is None


def test_the_error_of_few_is_that_of_a_sample_not_of_all_there_are() -> None:
    """Draws of n vary by (n - 1) / n of the variance of means of n, which divides by n - 1."""
    values = np.array([0.1, 0.2, 0.4, 0.8])
    drawn = values.std(ddof=0) / 2  # what infinitely many draws give
    assert error_of_draws(drawn, 4) == pytest.approx(values.std(ddof=1) / 2)


def test_a_partial_area_of_nothing_is_at_its_least_and_not_for_sure() -> None:
    labels, patients = np.repeat([1, 0], 10), np.arange(20)
    found = patient_bootstrap(labels, 1.0 - labels, patients, ["pauc_spec80"])["pauc_spec80"]
    share = 2.262157**2 / (10 + 2.262157**2)  # of the area that is possible, at most
    assert found is not None
    assert (found.low, found.high) == pytest.approx((4 / 9, 4 / 9 + 5 / 9 * share))


def test_log_loss_ends_where_it_can_end() -> None:
    labels, patients = np.array([1, 1, 0, 0]), np.arange(4)
    found = patient_bootstrap(labels, np.array([0.0, 0.9, 0.1, 0.2]), patients, ["logloss"])
    assert found["logloss"] is not None
    assert found["logloss"].high == pytest.approx(52 * np.log(2))


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
