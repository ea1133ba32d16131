"""OUT_about.json: by what a file of predictions was made, for whoever reads or judges it later.

It names no path and no image: a member is its SHA-256, a recipe its name and hash.
"""

import json
from pathlib import Path
from typing import Any, Final

from dali_pipelines.atomic import replacing
from dali_pipelines.rejects.counts import VerdictCounts
from trainer.aggregation.policy import Aggregation
from trainer.environment import versions
from trainer.prediction.predict import PredictOptions
from trainer.prediction.scorers import Scorers
from trainer.scores.writing import about_beside

FORMAT: Final = "mammostream-predictions"
FORMAT_VERSION: Final = 1


def describe(
    scorers: Scorers, options: PredictOptions, how: Aggregation, counts: VerdictCounts
) -> dict[str, Any]:
    """The document: plain values, the same for the same prediction on the same versions.

    `counts` are of all inputs, `how` is how images became breasts, exams and patients.
    """
    decision = scorers.decision_by(how)
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
