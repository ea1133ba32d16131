"""From runs to an ensemble: its members, its decision, and what both are honestly worth.

The decision is made on out-of-fold scores, each by the members of one fold. The ensemble scores a
new image by those of all folds, and a mean over more members varies less: a threshold far from the
middle of the scores then calls fewer. Nothing out of fold can show how many.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from trainer.aggregation.policy import Aggregation
from trainer.decisions.calibration import Method
from trainer.decisions.decision import Decision, choose_decision
from trainer.ensembles.candidates import Candidate, find_candidates
from trainer.ensembles.choose import Choosing, choose
from trainer.ensembles.combine import Combine
from trainer.ensembles.ensemble_file import EnsembleFile, Member
from trainer.ensembles.judged import judge_decision
from trainer.ensembles.level_scores import Choice, LevelScores
from trainer.ensembles.nested import Nested, nested_choice
from trainer.ensembles.objective import Objective
from trainer.ensembles.pool import Pool, build_pool

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EnsembleOptions:
    """How members are chosen and combined, and what is decided on their score.

    `objective` has the level and the rule of the decision too. The choice is judged on `groups`
    groups of patients, its intervals are of `repeats` draws.
    """

    objective: Objective = field(default_factory=lambda: Objective("breast", "auroc", "f1"))
    choosing: Choosing = field(default_factory=Choosing)
    combine: Combine = "prob"
    how: Aggregation = field(default_factory=Aggregation)
    calibration: Method | None = None
    groups: int = 5
    repeats: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Built:
    """The ensemble and its candidates.

    Of each candidate: `alone`, the objective's figure on its own fold, None if undefined; `times`
    it was chosen; in how many `groups` it was chosen without them.

    `scores` is a table of out-of-fold scores, those of an image by what was chosen without its
    patient; None where there are too few patients for it. `lost` images are in no figure.
    """

    ensemble: EnsembleFile
    candidates: list[Candidate]
    alone: list[float | None]
    times: list[int]
    groups: list[int]
    scores: pd.DataFrame | None
    lost: int


def build_ensemble(runs: Sequence[Path], options: EnsembleOptions) -> Built:
    """Choose members among the folds of run directories, and the decision on their score.

    Raises ConfigError where a directory is no finished run with a fold held out, DatasetError where
    the runs do not share the folds of the same images, or a class is missing.
    """
    candidates = find_candidates(runs)
    pool = build_pool(candidates)
    scores = LevelScores(pool, options.objective.level, options.how, options.combine)
    choice, decision = _choose(scores, options, options.choosing, np.full(len(scores.labels), True))
    nested = _nested(scores, options, options.choosing)
    figures: dict[str, Any] = {
        "objective": str(options.objective),
        "choosing": asdict(options.choosing),
        "candidates": len(candidates),
        "flattering": judge_decision(
            decision, scores.labels, scores.patients, scores.probs(choice)
        ).figures(),
        "nested": _facts(nested, options) if nested else None,
        "nested_all": _figures_of_all(scores, options, nested),
    }
    members = _members(candidates, choice)
    return Built(
        EnsembleFile(members, options.combine, str(options.how), decision, figures),
        candidates,
        _alone(scores, options.objective),
        [choice.count(member) for member in range(len(candidates))],
        [sum(m in c for c in nested.choices) if nested else 0 for m in range(len(candidates))],
        _table(candidates, pool, nested) if nested else None,
        pool.lost,
    )


def _choose(
    scores: LevelScores, options: EnsembleOptions, choosing: Choosing, rows: Mask
) -> tuple[Choice, Decision]:
    """Members and decision chosen on those rows (m,) of the level."""
    choice = choose(scores, options.objective, rows, choosing)
    facts: dict[str, int | str] = {
        "scores": "out of fold",
        "patients": len(np.unique(scores.patients[rows])),
        "aggregation": str(options.how),
        "combine": options.combine,
    }
    decision = choose_decision(
        options.objective.level,
        scores.probs(choice)[rows],
        scores.labels[rows],
        options.objective.rule,
        options.calibration,
        facts,
    )
    return choice, decision


def _nested(scores: LevelScores, options: EnsembleOptions, choosing: Choosing) -> Nested | None:
    return nested_choice(
        scores,
        lambda rows: _choose(scores, options, choosing, rows),
        options.groups,
        options.seed,
    )


def _facts(nested: Nested, options: EnsembleOptions) -> dict[str, Any]:
    """Figures and intervals of a nested choice, as plain values."""
    intervals = nested.judged.intervals(options.repeats, options.seed)
    return {
        "groups": len(nested.choices),
        "seed": options.seed,
        "repeats": options.repeats,
        "figures": nested.judged.figures(),
        "uncalibrated": nested.judged.uncalibrated() if options.calibration else None,
        "intervals": {
            name: [found.low, found.high] if found else None for name, found in intervals.items()
        },
    }


def _figures_of_all(
    scores: LevelScores, options: EnsembleOptions, nested: Nested | None
) -> dict[str, Any] | None:
    """What all candidates together are worth, threshold and calibration nested: no choice at all.

    None where there are too few patients.
    """
    if options.choosing.method != "all":
        nested = _nested(scores, options, Choosing("all"))
    return nested.judged.figures() if nested else None


def _alone(scores: LevelScores, objective: Objective) -> list[float | None]:
    """The figure of each candidate on the rows of its own fold."""
    return [
        objective.value(scores.labels[scores.row_folds == fold], scores.probs_alone(member))
        for member, fold in enumerate(scores.pool.folds)
    ]


def _members(candidates: Sequence[Candidate], choice: Choice) -> tuple[Member, ...]:
    """The members, the weights of each fold's summing up to 1, so that folds count alike."""
    in_fold = [candidates[member].fold for member in choice]
    return tuple(
        Member(
            candidates[member].model,
            candidates[member].sha256,
            choice.count(member) / in_fold.count(candidates[member].fold),
            candidates[member].fold,
        )
        for member in sorted(set(choice))
    )


def _table(candidates: Sequence[Candidate], pool: Pool, nested: Nested) -> pd.DataFrame:
    """The nested scores, with the columns of the candidates' tables."""
    hashes = dict.fromkeys(
        text for candidate in candidates for text in candidate.scores.get("recipe_hash", [])
    )
    table = pool.images.assign(
        prob=expit(nested.logits), logit=nested.logits, recipe_hash="+".join(hashes)
    )
    return table[[name for name in candidates[0].scores.columns if name in table.columns]]
