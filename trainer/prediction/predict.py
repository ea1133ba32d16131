"""Checkpoints and images to scores, a batch at a time.

The pixels are prepared by the recipe that is kept in the checkpoint: a model is only ever shown
what it learned from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from dali_pipelines.errors import CheckpointError
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts
from dali_pipelines.verdicts import Reject
from trainer.arithmetic import fixed_arithmetic
from trainer.artifact import load_to_score
from trainer.distributed import Device, join_world
from trainer.networks.build import logits_of
from trainer.networks.settings import VIEWS, Unit
from trainer.printable import printable
from trainer.rebuild import kept_recipe, rebuild_model
from trainer.scores.table import prediction_table
from trainer.scoring import collect, score_pass
from trainer.source import OpenSource, gather_rejects
from trainer.units import build_units


class Ensemble(nn.Module):
    """The logit of the mean probability of its members, as one network: images give (N, 1)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (N, 1) float32; a single member's pass through unchanged."""
        logits = torch.stack([logits_of(m, images, present)[:, None] for m in self.members])
        if len(logits) == 1:
            return logits[0]
        # log(mean p) - log(mean (1 - p)): exact where 1 - p would round to 0
        positive = torch.logsumexp(functional.logsigmoid(logits), 0)
        return positive - torch.logsumexp(functional.logsigmoid(-logits), 0)


@dataclass(frozen=True, slots=True)
class Scorer:
    """What scores images: a network, and the recipe that prepares what it is shown.

    `unit` is what one score is for; its images share it.
    """

    model: nn.Module
    recipe: Recipe
    unit: Unit = "image"


@dataclass(frozen=True, slots=True)
class PredictOptions:
    """How to score. `key` hashes patient ids, None names them as they are.

    `device` is where the model runs and images are prepared.
    """

    key: bytes | None
    device: Device = "auto"
    batch: int = 8
    loader: LoaderSettings = field(default_factory=LoaderSettings)
    open_source: OpenSource = Loader


@dataclass(frozen=True, slots=True)
class Predictions:
    """`table` as `predictions.prediction_table` gives it, and why other images have no score.

    `counts` are of the images of the manifest.
    """

    table: pd.DataFrame
    rejects: list[Reject]
    counts: VerdictCounts
    is_main: bool


def load_scorer(paths: Sequence[Path], recipe: Recipe | None = None) -> Scorer:
    """The checkpoints as one scorer: the mean of their probabilities.

    Raises CheckpointError if one cannot be used, or they or `recipe` mean different pixels, or
    they score different units.
    """
    checkpoints = [load_to_score(path) for path in paths]
    recipes = [kept_recipe(c, repr(str(path))) for c, path in zip(checkpoints, paths, strict=True)]
    # a recipe that is asked for by name knows no table of boxes by hand
    wanted = replace(recipe, review=recipes[0].review) if recipe else recipes[0]
    for path, kept in zip(paths, recipes, strict=True):
        if kept.hash != wanted.hash:
            raise CheckpointError(
                f"{str(path)!r} learned from images of recipe {printable(kept.name)} {kept.hash}, "
                f"and {printable(wanted.name)} {wanted.hash} would prepare them otherwise; score "
                "it by itself, with its own recipe"
            )
    members = [
        rebuild_model(checkpoint, f"checkpoint {str(path)!r}")
        for checkpoint, path in zip(checkpoints, paths, strict=True)
    ]  # whose arguments are sound from here on
    units: set[Unit] = {c.model_args.get("unit", "image") for c in checkpoints}
    if len(units) > 1:
        raise CheckpointError(
            f"the checkpoints score different things, {' and '.join(sorted(units))}; score each "
            "kind by itself"
        )
    return Scorer(Ensemble(members), wanted, units.pop())


def predict(manifest: pd.DataFrame, scorer: Scorer, options: PredictOptions) -> Predictions:
    """Scores of the images of a manifest, in its order; every rank gets all of them."""
    with (
        join_world(options.device) as world,
        fixed_arithmetic(world, options.loader.threads),
    ):
        model = scorer.model.to(world.device)
        units = build_units(manifest, scorer.unit)
        blocks = units.images(sequential_blocks(len(units.members), options.batch))
        records = to_records(manifest)
        opened = options.open_source(records, scorer.recipe, options.loader, options.device)
        with opened as source:
            scores = score_pass(model, source, blocks, world, views=VIEWS[scorer.unit])
            logits = collect(scores, len(manifest), world)
            rejects = gather_rejects(source, world)
    table = prediction_table(manifest, logits, scorer.recipe.hash, options.key)
    flagged = manifest["flags"][np.isfinite(logits)].map(len) > 0
    counts = count_verdicts(len(manifest), flagged, rejects)
    return Predictions(table, rejects, counts, world.is_main)
