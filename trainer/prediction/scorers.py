"""Networks to score by, each with the recipe that prepares its images, and how they are combined.

The pixels are prepared by the recipe that is kept in the checkpoint: a model is only ever shown
what it learned from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from dali_pipelines.errors import CheckpointError
from dali_pipelines.recipe import Recipe
from dali_pipelines.review import Review, reviewed_recipe
from trainer.aggregation.policy import Aggregation
from trainer.artifact import load_to_score
from trainer.checkpoint import Checkpoint
from trainer.checksums import file_sha256
from trainer.decisions.decision import Decision
from trainer.decisions.of_training import decision_of_training, kept_aggregation
from trainer.ensembles.combine import Combine
from trainer.networks.settings import Unit
from trainer.prediction.members import find_members, weights_file
from trainer.printable import printable
from trainer.rebuild import kept_recipe, rebuild_model


@dataclass(frozen=True, slots=True)
class Scorer:
    """What scores images: a network, and the recipe that prepares what it is shown.

    `args` are those that the network was built from, `sha256` is that of its file of weights.
    `data` is the fingerprint of the cohort it learned from, and `held_out` the fold of it that was
    kept from it, None where it saw all.
    """

    model: nn.Module
    recipe: Recipe
    args: Mapping[str, Any] = field(default_factory=dict)
    sha256: str = ""
    data: str = ""
    held_out: int | None = None

    @property
    def unit(self) -> Unit:
        """What one score is for; its images share it."""
        unit: Unit = self.args.get("unit", "image")
        return unit


@dataclass(frozen=True, slots=True)
class Scorers:
    """Members whose scores of an image become one; `weights` () for equal ones.

    `decision` was chosen on scores that `aggregation` made of those of images; None for several
    checkpoints that nobody has chosen one for.
    """

    members: tuple[Scorer, ...]
    combine: Combine = "prob"
    weights: tuple[float, ...] = ()
    aggregation: Aggregation = Aggregation()  # noqa: RUF009 - it is frozen
    decision: Decision | None = None

    @property
    def unit(self) -> Unit:
        """What one score is for, the same of all members."""
        return self.members[0].unit

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """The recipes of the members, each once, in the order of its first member."""
        return tuple({member.recipe.hash: member.recipe for member in self.members}.values())

    @property
    def shares(self) -> NDArray[np.float64]:
        """The weights (M,)."""
        return np.array(self.weights or (1.0,) * len(self.members), dtype=np.float64)

    def reviewed(self, review: Review | None) -> "Scorers":
        """The same, with the recipe of each member as `review.reviewed_recipe` gives it."""
        members = (replace(m, recipe=reviewed_recipe(m.recipe, review)) for m in self.members)
        return replace(self, members=tuple(members))

    def decision_by(self, how: Aggregation) -> Decision | None:
        """The decision, where it holds for scores that are joined in that way."""
        if self.decision is None or self.decision.level == "image" or how == self.aggregation:
            return self.decision
        return None


def load_scorers(
    paths: Sequence[Path],
    recipe: Recipe | None = None,
    combine: Combine | None = None,
    weights: Sequence[float] = (),
) -> Scorers:
    """The scorers in checkpoints, artifacts, run directories or an ensemble file.

    Raises CheckpointError if one cannot be used, or `recipe` means other pixels, or they score
    different units; ConfigError as `members.find_members` does.
    """
    found = find_members(paths, combine, weights)
    checkpoints = [load_to_score(member.path) for member in found.members]
    members = tuple(
        _scorer(checkpoint, member.path, recipe)
        for checkpoint, member in zip(checkpoints, found.members, strict=True)
    )
    units = {scorer.unit for scorer in members}
    if len(units) > 1:
        raise CheckpointError(
            f"the checkpoints score different things, {' and '.join(sorted(units))}; score each "
            "kind by itself"
        )
    how, decision = kept_aggregation(found.aggregation), found.decision
    if len(members) == 1 and decision is None:
        kept, source = checkpoints[0], repr(str(found.members[0].path))
        how, decision = decision_of_training(kept.settings, kept.threshold, f"checkpoint {source}")
    shares = tuple(member.weight for member in found.members)
    return Scorers(members, found.combine, shares, how, decision)


def _scorer(checkpoint: Checkpoint, path: Path, wanted: Recipe | None) -> Scorer:
    recipe = kept_recipe(checkpoint, repr(str(path)))
    # a recipe that is asked for by name knows no table of boxes by hand
    if wanted is not None and replace(wanted, review=recipe.review).hash != recipe.hash:
        raise CheckpointError(
            f"{str(path)!r} learned from images of recipe {printable(recipe.name)} {recipe.hash}, "
            f"and {printable(wanted.name)} {wanted.hash} would prepare them otherwise; score it "
            "with its own recipe"
        )
    fold = checkpoint.settings.get("fold")
    is_held_out = checkpoint.settings.get("validate") == "fold" and type(fold) is int
    return Scorer(
        model=rebuild_model(checkpoint, f"checkpoint {str(path)!r}"),
        recipe=recipe,
        args=checkpoint.model_args,
        sha256=file_sha256(weights_file(path)),
        data=checkpoint.data,
        held_out=fold if is_held_out else None,
    )
