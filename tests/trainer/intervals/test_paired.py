"""Two models on the same patients: what they share cancels out, what differs is found."""

import numpy as np
import pytest

from trainer.intervals.delong import delong_compare
from trainer.intervals.paired import paired_bootstrap
from trainer.metrics.figures import SCORE_FIGURES, THRESHOLD_FIGURES, score_figures

NAMES = [*SCORE_FIGURES[:-2], *THRESHOLD_FIGURES]


def models(patients: int, better: float = 0.0) -> tuple[np.ndarray, ...]:
    """Labels and two models' scores, a row a patient, that err alike; b is better by `better`."""
    rng = np.random.default_rng(2)
    labels = np.arange(patients) % 2
    shared = rng.normal(0.35 + 0.1 * labels, 0.12)
    a, b = (np.clip(shared + rng.normal(gain * labels, 0.04), 0, 1) for gain in (0, better))
    return labels, a, b


def test_on_independent_rows_it_agrees_with_delong() -> None:
    labels, a, b = models(300, better=0.04)
    found = paired_bootstrap(labels, a, b, np.arange(300), ["auroc"], repeats=3000)["auroc"]
    wanted = delong_compare(labels, a, b)
    assert found is not None
    assert wanted is not None
    assert found.difference == pytest.approx(wanted.difference)
    assert found.interval.low == pytest.approx(wanted.interval.low, abs=0.004)
    assert found.interval.high == pytest.approx(wanted.interval.high, abs=0.004)


def test_differences_are_those_of_the_figures_each_at_its_threshold() -> None:
    labels, a, b = models(80, better=0.1)
    found = paired_bootstrap(labels, a, b, np.arange(80), NAMES, repeats=20, thresholds=(0.4, 0.5))
    first, second = score_figures(labels, a, 0.4), score_figures(labels, b, 0.5)
    for name in NAMES:
        assert found[name].difference == pytest.approx(second[name] - first[name])
        assert found[name].interval.low < found[name].difference < found[name].interval.high


def test_the_better_model_is_found_and_the_other_way_round() -> None:
    labels, a, b = models(200, better=0.1)
    found = paired_bootstrap(labels, a, b, np.arange(200), ["auroc"])["auroc"]
    turned = paired_bootstrap(labels, b, a, np.arange(200), ["auroc"])["auroc"]
    assert found is not None
    assert turned is not None
    assert found.interval.low > 0
    assert found.p < 0.001
    ends = (turned.difference, turned.interval.low, turned.interval.high, turned.p)
    wanted = (-found.difference, -found.interval.high, -found.interval.low, found.p)
    assert ends == pytest.approx(wanted)


def test_a_model_does_not_differ_from_itself() -> None:
    labels, a, _ = models(60)
    found = paired_bootstrap(labels, a, a, np.arange(60), NAMES, thresholds=(0.4, 0.4))
    assert {(c.difference, c.interval.low, c.interval.high, c.p) for c in found.values()} == {
        (0.0, 0.0, 0.0, 1.0)
    }


def test_more_rows_of_the_same_patients_make_no_model_surer() -> None:
    labels, a, b = models(80, better=0.05)
    once = paired_bootstrap(labels, a, b, np.arange(80), ["auroc"])["auroc"]
    often = [np.tile(column, 3) for column in (labels, a, b, np.arange(80))]
    found = paired_bootstrap(*often, ["auroc"])["auroc"]
    assert once is not None
    assert found is not None
    assert found.p == pytest.approx(once.p)


def test_no_figure_is_sure_of_two_cancers() -> None:
    """One model finds both, the other neither: no draw of patients sees anything else."""
    labels, patients = np.array([1, 1, 0, 0, 0, 0]), np.arange(6)
    found = paired_bootstrap(
        labels, 1.0 - labels, labels * 1.0, patients, ["auroc", "recall", "logloss"],
        thresholds=(0.5, 0.5),
    )  # fmt: skip
    assert all(c is not None and c.p > 0.3 and c.interval.low < 0 for c in found.values())


def test_what_too_few_patients_define_has_no_comparison() -> None:
    labels, a, b = np.array([0, 0, 1]), np.array([0.1, 0.2, 0.3]), np.array([0.3, 0.2, 0.1])
    found = paired_bootstrap(labels, a, b, np.arange(3), ["auroc", "ece"])
    assert found == {"auroc": None, "ece": None}
