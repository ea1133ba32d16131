import numpy as np
import pytest
from scipy.stats import norm

from trainer.evaluation.bands import GRID, Drawn, pr_band, reliability_band, roc_band
from trainer.intervals.bootstrap import patient_bootstrap
from trainer.intervals.spread import proportion_interval

DRAWN = Drawn(repeats=200)


def _sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores whose ROC curve is known, and a patient for each row."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 4 == 0).astype(np.int64)
    return labels, norm.cdf(rng.normal(0, 1, n) + 1.5 * labels - 1), np.arange(n)


@pytest.mark.parametrize("make", [roc_band, pr_band, reliability_band])
def test_a_band_has_two_ends_within_the_picture(make: object) -> None:
    band = make(*_sample(120, 0), DRAWN)  # type: ignore[operator]
    assert (band.low >= 0).all()
    assert (band.low <= band.high).all()
    assert (band.high <= 1).all()
    assert (np.diff(band.places) > 0).all()


def test_the_true_roc_curve_lies_in_the_band_nearly_everywhere() -> None:
    inside = []
    true = 1 - norm.cdf(norm.ppf(1 - GRID) - 1.5)
    for seed in range(20):
        band = roc_band(*_sample(160, seed), DRAWN)
        middle = slice(5, 60)  # beyond, all curves are near 1
        inside.append(((band.low <= true) & (true <= band.high))[middle].mean())
    assert 0.85 < np.mean(inside) <= 1


def test_the_band_is_that_of_the_sensitivity_at_its_specificity() -> None:
    labels, probs, patients = _sample(400, 3)
    band = roc_band(labels, probs, patients, Drawn(repeats=400, seed=1))
    found = patient_bootstrap(labels, probs, patients, ["sens_at_spec80"], repeats=400, seed=1)
    interval = found["sens_at_spec80"]
    assert interval is not None
    assert band.low[20] == pytest.approx(interval.low, abs=0.02)
    assert band.high[20] == pytest.approx(interval.high, abs=0.02)


def test_rows_of_one_patient_make_the_band_wider() -> None:
    labels, probs, _ = _sample(100, 0)
    rows = [np.repeat(values, 4) for values in (labels, probs)]
    apart = roc_band(*rows, np.arange(400), DRAWN)
    together = roc_band(*rows, np.repeat(np.arange(100), 4), DRAWN)
    assert (together.high - together.low).mean() > 1.5 * (apart.high - apart.low).mean()


def test_precision_at_the_foot_of_the_curve_is_the_prevalence() -> None:
    labels, probs, patients = _sample(2000, 1)
    band = pr_band(labels, probs, patients, DRAWN)
    assert band.low[-1] == pytest.approx(0.25, abs=0.02)
    assert band.high[-1] < 0.3
    assert band.low[20] > 0.5  # the highest scores are mostly right


def test_a_precision_rests_on_the_patients_who_are_called() -> None:
    """At a recall of 0.2 two of two are right, of 0.6 six of six: no draw finds one wrong."""
    labels = np.array([1] * 8 + [0] * 40 + [1] * 2)
    probs = np.linspace(0.9, 0.1, 50)
    band = pr_band(labels, probs, np.arange(50), DRAWN)
    few, more = (proportion_interval(1.0, 0.0, count, 0.95).low for count in (2, 6))
    assert band.low[[20, 60]].tolist() == [few, more]
    of_one_woman = pr_band(labels, probs, np.arange(50) // 2, DRAWN)
    assert of_one_woman.low[60] == proportion_interval(1.0, 0.0, 3, 0.95).low


def test_draws_that_all_miss_a_class_leave_an_open_band() -> None:
    labels, probs = np.array([1, 0, 0, 0]), np.array([0.9, 0.1, 0.2, 0.3])
    band = roc_band(labels, probs, np.array([0, 1, 1, 1]), Drawn(repeats=1, seed=1))
    assert band.low.tolist() == [0.0] * (len(GRID) - 1) + [1.0]  # where all are called
    assert band.high.tolist() == [1.0] * len(GRID)


def test_a_bin_without_a_positive_is_not_taken_for_sure() -> None:
    labels = np.array([0] * 45 + [1] * 15)
    probs = np.linspace(0.01, 0.9, 60)
    band = reliability_band(labels, probs, np.arange(60), DRAWN)
    assert len(band.places) == 15  # four rows each
    assert band.low[0] == 0.0
    assert band.high[0] > 0.3
    assert band.places[0] == pytest.approx(probs[:4].mean())
    one = reliability_band(labels, probs, np.zeros(60), DRAWN)
    assert (one.low == 0).all()
    assert (one.high == 1).all()
