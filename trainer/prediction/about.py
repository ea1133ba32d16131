"""OUT_about.json: by what a file of predictions was made, for whoever reads or judges it later.

It names no path and no image: a member is its SHA-256, a recipe its name and hash.
"""

import json
from pathlib import Path
from typing import Any, Final

import pandas as pd

from dali_pipelines.atomic import replacing
from dali_pipelines.rejects.counts import VerdictCounts
from trainer.aggregation.policy import Aggregation
from trainer.environment import versions
from trainer.prediction.predict import PredictOptions
from trainer.prediction.scorers import Scorers
from trainer.prediction.trained_on import count_trained_on
from trainer.scores.trained_images import TRAINED_ON, told_trained
from trainer.scores.writing import about_beside

FORMAT: Final = "mammostream-predictions"
FORMAT_VERSION: Final = 1


def describe(
    scorers: Scorers,
    options: PredictOptions,
    how: Aggregation,
    counts: VerdictCounts,
    scored: pd.DataFrame,
) -> dict[str, Any]:
    """The document: plain values, the same for the same prediction on the same versions.

    `counts` are of all inputs, `how` is how images became breasts, exams and patients, `scored` are
    the rows of the manifest that have a score.
    """
    decision = scorers.decision_by(how)
    seen = 0 if options.out_of_fold else count_trained_on(scored, options.cohort, scorers)
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "members": [
            {
                "sha256": member.sha256,
                "model": member.args.get("model_name"),
                "recipe_hash": member.recipe.hash,
                "weight": weight,
                "held_out": member.held_out,
            }
            for member, weight in zip(scorers.members, scorers.shares.tolist(), strict=True)
        ],
        "recipes": {recipe.hash: recipe.to_dict() for recipe in scorers.recipes},
        "unit": scorers.unit,
        "combine": scorers.combine,
        "out_of_fold": options.out_of_fold,
        TRAINED_ON: told_trained(seen),
        "tta": str(options.tta),
        "batch": options.batch,
        "aggregation": str(how),
        "decision": decision.to_dict() if decision else None,
        "counts": counts.to_dict(),
        "versions": versions(),
    }


def write_about(document: dict[str, Any], out: Path) -> None:
    """Write it beside `out`, replaced as a whole."""
    with replacing(about_beside(out)) as aside:
        aside.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
