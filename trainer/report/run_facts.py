"""What a run directory says of how a network came to be; a cross-validation has one for each fold.

Nothing here names where the run lies or on which machine: a report leaves the house.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from dali_pipelines.errors import ConfigError
from dali_pipelines.rejects.table import REJECTS, read_rejects
from dali_pipelines.verdicts import Reject
from trainer.artifact import without_paths
from trainer.row_file import Row, read_rows
from trainer.run_folder import METRICS, MODEL, TIMING, fold_folders


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run. `history` has a row an epoch, `timing` a row a pass.

    `decoded` counts images by decoder since the run was last taken up. `model` is its file of
    weights, None where the run has none yet.
    """

    fold: int | None
    history: Sequence[Row]
    timing: Sequence[Row]
    settings: Mapping[str, Any]
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    best: Mapping[str, Any]
    decoded: Mapping[str, int]
    rejects: Sequence[Reject]
    model: Path | None


def read_runs(folder: Path) -> list[RunFacts]:
    """The run in a folder, or the runs of its folds.

    Raises ConfigError where there is none.
    """
    found = [path for path in (fold_folders(folder) or [folder]) if (path / METRICS).is_file()]
    if not found:
        raise ConfigError(
            f"{str(folder)!r} holds no run; give the folder that `mammo train` wrote to -O"
        )
    return [_read_run(path) for path in found]


def _read_run(folder: Path) -> RunFacts:
    config = _mapping(folder / "config.yaml")
    settings = without_paths(config.get("train", {}))
    is_held_out = settings.get("validate") == "fold"
    model, status = folder / MODEL, _mapping(folder / "status.json")
    return RunFacts(
        fold=settings.get("fold") if is_held_out else None,
        history=[row for row in read_rows(folder / METRICS) if "block" not in row],
        timing=read_rows(folder / TIMING),
        settings=settings,
        recipe=config.get("recipe", {}),
        environment=_mapping(folder / "env.json"),
        best=status.get("best", {}),
        decoded=status.get("decoded", {}),
        rejects=read_rejects(folder / REJECTS) if (folder / REJECTS).is_file() else [],
        model=model if model.is_file() else None,
    )


def _mapping(path: Path) -> dict[str, Any]:
    """What a YAML or JSON file of the run says; {} where it is not there."""
    if not path.is_file():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path.name} of the run is damaged; use another copy") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path.name} of the run is damaged; use another copy")
    return content
