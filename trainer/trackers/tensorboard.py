"""TensorBoard's event files, in the folder tensorboard/ of the run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from trainer.run_folder import TENSORBOARD


class _TensorBoard:
    def __init__(self, writer: Any, *, is_new: bool) -> None:
        self._writer = writer
        self._is_new = is_new

    def config(self, settings: Mapping[str, Any]) -> None:
        if self._is_new:  # its text has no step to replace it by
            text = json.dumps(settings, indent=2)
            self._writer.add_text("settings", "    " + text.replace("\n", "\n    "), 0)
            self._writer.flush()

    def log(self, figures: Mapping[str, float], step: int) -> None:
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()  # a killed run has lost no point that its metrics.jsonl has

    def close(self, *, succeeded: bool) -> None:  # noqa: ARG002 - it shows no endings
        self._writer.close()


def open_tracker(folder: Path, first_step: int) -> _TensorBoard:
    """A writer to a further event file, which hides what earlier ones hold from `first_step` on."""
    purge = first_step or None
    writer = SummaryWriter(str(folder / TENSORBOARD), purge_step=purge)
    return _TensorBoard(writer, is_new=not first_step)
