"""How often 95 % intervals hold the truth: of many studies of clustered patients, as simulated.

An interval that takes a woman's images for independent, DeLong's or a bootstrap of images, is shown
beside ours, and so are the plain percentiles of the draws of patients.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from tests.evidence.simulated_studies import Design, Rows
from trainer.intervals.bootstrap import patient_bootstrap, spreads_of_draws
from trainer.intervals.delong import delong_interval
from trainer.intervals.interval import Interval
from trainer.intervals.paired import paired_bootstrap
from trainer.metrics.figures import SCORE_FIGURES, THRESHOLD_FIGURES, figures_of_draws
from trainer.metrics.ranked import Draws, Floats, Ranked

pytestmark = pytest.mark.slow

SCORES = [name for name in SCORE_FIGURES if not name.startswith("ece")]
FIGURES = [*SCORES, *THRESHOLD_FIGURES]
REPEATS = 400  # draws a study; an interval takes its standard error from them, +- 3.5 %
STUDIES = {True: 1000, False: 25}  # of a design: the whole evidence, or the slice of CI

DESIGNS = {
    "usual": Design(patients=300, share_with_cancer=0.2, separation=1.8),
    "few cancers": Design(patients=100, share_with_cancer=0.2, separation=1.2),
    "rare cancers": Design(patients=500, share_with_cancer=0.06, separation=1.5),
    "AUROC near one": Design(patients=400, share_with_cancer=0.2, separation=2.7),
    "few cancers, AUROC near one": Design(patients=100, share_with_cancer=0.2, separation=2.7),
    "few findings": Design(patients=250, share_with_cancer=0.2, separation=1.8, threshold=0.8),
}
PROMISED = ("usual", "few cancers", "rare cancers", "AUROC near one")
LEAST, MOST = 0.93, 0.97  # of the AUROC's intervals, in the designs that are promised
LEAST_OF_ANY, MOST_OF_ANY = 0.925, 0.975  # of any figure's intervals, in these designs
LEAST_OF_ALL = 0.90  # of any figure's intervals, in any design


def percentiles(rows: Rows, seed: int) -> Interval:
    """The plain interval of the AUROC: the middle 95 % of the draws of patients."""
    labels, probs, patients = rows
    ranked, found = Ranked.of(labels, probs), []

    def auroc(weights: Floats) -> dict[str, Floats]:
        values = figures_of_draws(ranked.under(weights), ["auroc"])
        found.append(values["auroc"])
        return values

    spreads_of_draws(auroc, patients, REPEATS, seed)
    return Interval(*np.nanquantile(np.concatenate(found[1:]), [0.025, 0.975]))


def intervals_of(rows: Rows, seed: int, threshold: float) -> dict[str, Interval | None]:
    """Ours of each figure, by its name, and of the AUROC those of other ways, by "auroc, way"."""
    labels, probs, patients = rows
    ours = patient_bootstrap(
        labels, probs, patients, FIGURES, repeats=REPEATS, seed=seed, threshold=threshold
    )
    each_image = np.arange(len(labels))
    of_images = patient_bootstrap(labels, probs, each_image, ["auroc"], repeats=REPEATS, seed=seed)
    return {
        **ours,
        "auroc, bootstrap of images": of_images["auroc"],
        "auroc, DeLong over images": delong_interval(labels, probs),
        "auroc, percentiles of patients": percentiles(rows, seed),
    }


def studies(design: Design, count: int) -> Iterator[tuple[int, Rows]]:
    for seed in range(count):
        yield seed, design.draw(np.random.default_rng([seed, design.patients]))


def coverage(design: Design, count: int) -> dict[str, dict[str, float | int]]:
    """By name: the truth, the share of intervals that hold it, and the mean width."""
    truth, held, widths = design.truth(), {}, {}
    for seed, rows in studies(design, count):
        for name, interval in intervals_of(rows, seed, design.threshold).items():
            if interval is not None:
                inside = interval.low <= truth[name.split(",")[0]] <= interval.high
                held.setdefault(name, []).append(inside)
                widths.setdefault(name, []).append(interval.high - interval.low)
    return {
        name: {
            "truth": round(truth[name.split(",")[0]], 4),
            "covered": round(float(np.mean(inside)), 3),
            "mean_width": round(float(np.mean(widths[name])), 4),
            "studies": len(inside),
        }
        for name, inside in held.items()
    }


def bounds(least: float, most: float, count: int, full: bool) -> tuple[float, float]:
    """The limits of the evidence; of its slice what these reach by chance in 999 of 1,000."""
    if full:
        return least, most
    return binom.ppf(0.001, count, least) / count, binom.ppf(0.999, count, most) / count


@pytest.mark.parametrize("name", DESIGNS)
def test_the_truth_is_that_of_a_study_of_very_many(name: str) -> None:
    design = DESIGNS[name]
    many = replace(design, patients=150_000)
    labels, probs, _ = many.draw(np.random.default_rng(1))
    found = figures_of_draws(Draws.once(labels, probs), FIGURES, design.threshold)
    truth = design.truth()
    for figure in FIGURES:
        assert found[figure][0] == pytest.approx(truth[figure], abs=0.012, rel=0.03), figure


@pytest.fixture(scope="module")
def coverages() -> dict[str, dict[str, dict[str, float | int]]]:
    """By design what `coverage` found, filled in by the tests as they go."""
    return {}


@pytest.mark.parametrize("name", DESIGNS)
def test_intervals_cover(name: str, full: bool, coverages: dict[str, Any]) -> None:
    count = STUDIES[full]
    found = coverages[name] = coverage(DESIGNS[name], count)
    shares = {figure: facts["covered"] for figure, facts in found.items()}
    least, _ = bounds(LEAST_OF_ALL, MOST_OF_ANY, count, full)
    assert all(least <= shares[figure] for figure in FIGURES), shares
    if name in PROMISED:
        least, most = bounds(LEAST, MOST, count, full)
        assert least <= shares["auroc"] <= most, shares
        least, most = bounds(LEAST_OF_ANY, MOST_OF_ANY, count, full)
        assert all(least <= shares[figure] <= most for figure in FIGURES), shares
    if full:
        assert all(
            shares[f"auroc, {way}"] < LEAST for way in ("bootstrap of images", "DeLong over images")
        )


def test_coverage_is_recorded(
    full: bool,
    coverages: dict[str, Any],
    record_evidence: Callable[[str, dict[str, Any]], None],
) -> None:
    assert list(coverages) == list(DESIGNS)
    facts = {name: {**vars(DESIGNS[name]), "intervals": coverages[name]} for name in DESIGNS}
    record_evidence("coverage", {"studies": STUDIES[full], "draws": REPEATS, "designs": facts})


def test_differences_cover(
    full: bool, record_evidence: Callable[[str, dict[str, Any]], None]
) -> None:
    """Two models that err alike: equal ones, whose p must not accuse, and a better one."""
    count, model = STUDIES[full], DESIGNS["usual"]
    better = Design(model.patients, model.share_with_cancer, model.separation + 0.3)
    facts = {}
    for name, other in (("equal models", model), ("a better model", better)):
        held, seen = {figure: [] for figure in SCORES}, {figure: [] for figure in SCORES}
        first, second = model.truth(), other.truth()
        for seed in range(count):
            rows, scores = model.draw_pair(np.random.default_rng([seed, 7]), other)
            labels, probs, patients = rows
            compared = paired_bootstrap(
                labels, probs, scores, patients, SCORES, repeats=REPEATS, seed=seed
            )
            for figure, comparison in compared.items():
                ends, truth = comparison.interval, second[figure] - first[figure]
                held[figure].append(ends.low <= truth <= ends.high)
                seen[figure].append(comparison.p < 0.05)
        facts[name] = {
            figure: {
                "truth": round(second[figure] - first[figure], 4),
                "covered": round(float(np.mean(held[figure])), 3),
                "p_below_0.05": round(float(np.mean(seen[figure])), 3),
            }
            for figure in SCORES
        }
    record_evidence(
        "coverage_of_differences", {"studies": count, "draws": REPEATS, "comparisons": facts}
    )
    least, most = bounds(LEAST, MOST, count, full)
    assert all(least <= found["auroc"]["covered"] <= most for found in facts.values()), facts
    least, most = bounds(LEAST_OF_ANY, MOST_OF_ANY, count, full)
    assert all(least <= f["covered"] <= most for g in facts.values() for f in g.values()), facts
    power = {name: found["auroc"]["p_below_0.05"] for name, found in facts.items()}
    assert power["a better model"] > power["equal models"]
