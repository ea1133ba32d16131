"""How much a choice of members flatters itself, and whether the nested figure is honest.

Many studies are drawn: cross-validations whose networks are pure noise, or know something, some
more than others. Members are chosen greedily by the AUROC of breasts. The truth is what the same
choice scores on many more patients.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from trainer.aggregation.policy import Aggregation
from trainer.decisions.decision import Decision, choose_decision
from trainer.ensembles.choose import Choosing, choose
from trainer.ensembles.level_scores import Choice, LevelScores
from trainer.ensembles.nested import nested_choice
from trainer.ensembles.objective import parse_objective
from trainer.ensembles.pool import Pool
from trainer.intervals.bootstrap import patient_bootstrap

pytestmark = pytest.mark.slow

FOLDS, RUNS, GROUPS = 4, 6, 5
PATIENTS, MORE_PATIENTS = 160, 3000
PREVALENCE = 0.15  # of a breast
SHARED, OWN = 1.0, 0.7  # noise that all networks see in an image, and that each adds
KINDS = {"noise": (0.0, 0.0), "signal": (1.0, 0.4)}  # mean and spread of what networks know
AUROC = parse_objective("breast/auroc", "f1")


def draw_pool(patients: int, signals: NDArray[np.float64], rng: np.random.Generator) -> Pool:
    """Two views of both breasts of each patient, scored by networks of those signals (K,)."""
    breasts = 2 * patients
    cancer = np.repeat(rng.random(breasts) < PREVALENCE, 2).astype(np.int64)
    numbers = np.repeat(np.arange(patients), 4)
    images = pd.DataFrame(
        {
            "patient_id": [f"p{number}" for number in numbers],
            "laterality": np.tile(["L", "L", "R", "R"], patients),
            "cancer": cancer,
            "fold": numbers % FOLDS,
        }
    )
    folds = np.tile(np.arange(FOLDS), RUNS)
    noise = SHARED * rng.normal(size=(len(images), 1))
    noise = noise + OWN * rng.normal(size=(len(images), len(folds)))
    logits = -2 + cancer[:, None] * signals + noise
    logits[(numbers % FOLDS)[:, None] != folds] = np.nan
    return Pool(images, logits, folds, lost=0)


def study(kind: str, seed: int) -> dict[str, float]:
    """The AUROC of one study's choice: as it flatters itself, nested with its interval, true."""
    rng = np.random.default_rng(seed)
    mean, spread = KINDS[kind]
    signals = rng.normal(mean, spread, FOLDS * RUNS)
    scores = LevelScores(draw_pool(PATIENTS, signals, rng), "breast", Aggregation(), "prob")

    def chooser(rows: NDArray[np.bool_]) -> tuple[Choice, Decision]:
        choice = choose(scores, AUROC, rows, Choosing("greedy"))
        probs, labels = scores.probs(choice)[rows], scores.labels[rows]
        return choice, choose_decision("breast", probs, labels)

    choice, _ = chooser(np.ones(len(scores.labels), np.bool_))
    nested = nested_choice(scores, chooser, GROUPS, seed)
    assert nested is not None
    judged = nested.judged
    interval = patient_bootstrap(
        judged.labels, judged.probs, judged.patients, ["auroc"], repeats=300, seed=seed
    )["auroc"]
    assert interval is not None
    fresh = LevelScores(draw_pool(MORE_PATIENTS, signals, rng), "breast", Aggregation(), "prob")
    return {
        "flattering": AUROC.worth(scores.labels, scores.probs(choice)),
        "nested": AUROC.worth(judged.labels, judged.probs),
        "low": interval.low,
        "high": interval.high,
        "true": AUROC.worth(fresh.labels, fresh.probs(choice)),
    }


def facts_of(studies: pd.DataFrame) -> dict[str, float]:
    """Means over studies, and how far flattering and nested figure are from the truth."""
    off = {name: studies[name] - studies["true"] for name in ("flattering", "nested")}
    covered = studies["true"].between(studies["low"], studies["high"])
    return {
        **{f"{name}_auroc": float(studies[name].mean()) for name in ("true", *off)},
        **{f"{name}_bias": float(values.mean()) for name, values in off.items()},
        "nested_standard_error": float(off["nested"].sem()),
        "nested_interval_holds_the_truth": float(covered.mean()),
    }


def test_the_choice_flatters_itself_and_the_nested_figure_does_not(
    full: bool, record_evidence: Callable[[str, dict[str, Any]], None]
) -> None:
    count = 200 if full else 6
    found = {
        kind: facts_of(pd.DataFrame([study(kind, seed) for seed in range(count)])) for kind in KINDS
    }
    design = {"studies": count, "patients": PATIENTS, "candidates": FOLDS * RUNS, "folds": FOLDS}
    rounded = {
        kind: {name: round(value, 4) for name, value in facts.items()}
        for kind, facts in found.items()
    }
    record_evidence("ensemble_choice", {**design, **rounded})
    for facts in found.values():
        assert facts["flattering_bias"] > 0.01
        # a little below: what judges a group was chosen on four fifths of the patients
        assert abs(facts["nested_bias"]) < facts["flattering_bias"] / 2
