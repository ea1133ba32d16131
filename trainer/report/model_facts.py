"""Which networks gave the scores: architecture, weights by their SHA-256, and how images come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from trainer.ensembles.combine import Combine
from trainer.prediction.scorers import Scorers
from trainer.report.run_facts import RunFacts

_COMBINED: Final[Mapping[Combine, str]] = {
    "prob": "probabilities",
    "logit": "logits",
    "rank": "ranks",
}


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """One network; `held_out` is the fold that it never saw, `recipe` the name and the hash."""

    name: str
    unit: str
    parameters: int
    sha256: str
    held_out: int | None
    recipe: str
    size: tuple[int, int]
    channels: int


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """The networks, what of them is averaged to one score, and from what weights they began.

    `epochs` are those of each run behind them.
    """

    networks: Sequence[NetworkFacts]
    combine: str
    pretrained: str
    epochs: Sequence[int]


def model_facts(scorers: Scorers | None, runs: Sequence[RunFacts]) -> ModelFacts | None:
    """The facts of the networks, None where there are none."""
    if scorers is None:
        return None
    networks = [
        NetworkFacts(
            name=str(member.args.get("model_name", "")),
            unit=member.unit,
            parameters=sum(weight.numel() for weight in member.model.parameters()),
            sha256=member.sha256,
            held_out=member.held_out,
            recipe=f"{member.recipe.name} {member.recipe.hash}",
            size=member.recipe.size,
            channels=member.recipe.channels,
        )
        for member in scorers.members
    ]
    models: list[Any] = [run.settings.get("model", {}) for run in runs]
    began = sorted({Path(str(model.get("pretrained") or "")).name for model in models} - {""})
    return ModelFacts(
        networks, _COMBINED[scorers.combine], ", ".join(began), [len(run.history) for run in runs]
    )
