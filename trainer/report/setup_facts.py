"""What a run was told and what it ran on: its settings as resolved, and versions."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dali_pipelines.recipe import Recipe
from dali_pipelines.settings import to_dict
from trainer.report.run_facts import RunFacts
from trainer.settings import TrainSettings

_MACHINE: Final = ("system", "cores", "device", "cuda", "cudnn", "world_size", "threads")


@dataclass(frozen=True, slots=True)
class Setup:
    """`changed` are settings of training and recipe that are not the usual ones, by dotted name.

    `settings` are all of them as YAML; `versions` and `machine` are plain texts by name.
    """

    changed: Mapping[str, str]
    settings: str
    versions: Mapping[str, str]
    machine: Mapping[str, str]


def setup_of(run: RunFacts) -> Setup:
    """The setup of a run, without the place of any file."""
    recipe = _without_places(run.recipe)
    usual = {**_flat(to_dict(TrainSettings()), "train"), **_flat(to_dict(Recipe("")), "recipe")}
    flat = {**_flat(run.settings, "train"), **_flat(recipe, "recipe")}
    resolved = {"train": dict(run.settings), "recipe": dict(recipe)}
    return Setup(
        changed={k: _text(v) for k, v in flat.items() if usual.get(k) != v},
        settings=yaml.safe_dump(resolved, sort_keys=False),
        versions={k: str(v) for k, v in run.environment.get("versions", {}).items()},
        machine={
            name.replace("_", " "): str(run.environment[name])
            for name in _MACHINE
            if run.environment.get(name) is not None
        },
    )


def _without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with the name of a detector's file alone: its folder may name who owns it."""
    roi = recipe.get("roi")
    detector = roi.get("detector") if isinstance(roi, Mapping) else None
    if not isinstance(roi, Mapping) or not isinstance(detector, Mapping):
        return dict(recipe)
    named = {**detector, "path": Path(str(detector.get("path", ""))).name}
    return {**recipe, "roi": {**roi, "detector": named}}


def _flat(values: Mapping[str, Any], above: str) -> dict[str, Any]:
    """Nested values by dotted name."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{above}.{name}")
        else:
            flat[f"{above}.{name}"] = value
    return flat


def _text(value: Any) -> str:
    return yaml.safe_dump(value, default_flow_style=True).removesuffix("...\n").strip()
