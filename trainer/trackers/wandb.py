"""Weights & Biases: project WANDB_PROJECT, or "mammostream"; its other variables count too.

It is told to leave out what it would send on its own: console, host, command line, code, packages.
"""

import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import wandb

from trainer.trackers.tracker import keep_id, kept_id

_SILENT: Final = {
    "console": "off",
    "disable_code": True,
    "disable_git": True,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_save_requirements": False,
}


class _Wandb:
    def __init__(self, run: Any) -> None:
        self._run = run

    def config(self, settings: Mapping[str, Any]) -> None:
        self._run.config.update(dict(settings), allow_val_change=True)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        if step >= self._run.step:  # what it has already cannot be replaced, and is the same
            self._run.log(dict(figures), step=step)

    def close(self, *, succeeded: bool) -> None:
        self._run.finish(exit_code=0 if succeeded else 1)


def open_tracker(folder: Path, first_step: int) -> _Wandb:  # noqa: ARG001 - it knows its own
    """The run that this directory has there, taken up or begun; its step is known to it."""
    run_id = kept_id(folder, "wandb") or uuid.uuid4().hex[:16]
    run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "mammostream"),
        name=folder.name,
        id=run_id,
        resume="allow",
        dir=str(folder),
        settings=wandb.Settings(**_SILENT),
    )
    keep_id(folder, "wandb", run_id)
    return _Wandb(run)
