"""The run directory: what a run leaves for people and for scripts.

    config.yaml    settings and recipe as resolved      last.pt, best.pt   checkpoints
    oof.csv        scores of the held-out fold          metrics.jsonl      one line an epoch
    status.json    running | done | failed | interrupted | preempted       rejects.csv, log.txt

Rank 0 writes; on other ranks a journal does nothing. Each file is replaced as a whole, so that a
reader never meets half of one.
"""

import json
import logging
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import MammoError
from dali_pipelines.rejects.table import REJECTS, write_rejects
from dali_pipelines.verdicts import Reject
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.predictions import prediction_table, write_csv

State = Literal["running", "done", "failed", "interrupted", "preempted"]
Row = Mapping[str, Any]

LAST: Final = "last.pt"
BEST: Final = "best.pt"
_PACKAGES: Final = ("torch", "timm", "numpy", "nvidia-dali-cuda130", "imagecodecs")


class Journal:
    """Writes the run directory; a context manager that records how the run ended.

    `key` hashes the patient ids in oof.csv.
    """

    def __init__(self, folder: Path, key: bytes, *, is_main: bool) -> None:
        self.folder = folder
        self._key = key
        self._is_main = is_main
        self._handler: logging.Handler = logging.NullHandler()
        self._state: State = "running"

    def __enter__(self) -> Self:
        if self._is_main:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._handler = logging.FileHandler(self.folder / "log.txt", encoding="utf-8")
            self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            logging.getLogger("mammo").addHandler(self._handler)
        self.status("running")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            state: State = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            self.status(state, error=type(error).__name__, exit_code=_exit_code(error))
        logging.getLogger("mammo").removeHandler(self._handler)
        self._handler.close()

    def status(self, state: State, **facts: Any) -> None:
        """Write status.json, which also says what torchrun does not pass on: the exit code."""
        if self._is_main:
            content = {"state": state, **facts, "pid": os.getpid(), "host": platform.node()}
            _write_text(self.folder / "status.json", json.dumps(content, indent=2) + "\n")

    def start_over(self) -> None:
        """Remove what an earlier run left, so that none of it is taken for this one's."""
        if self._is_main:
            for name in (LAST, BEST, "metrics.jsonl", "oof.csv", REJECTS):
                (self.folder / name).unlink(missing_ok=True)

    def config(self, settings: Row, recipe: Row) -> None:
        """Write config.yaml."""
        if self._is_main:
            text = yaml.safe_dump(
                {"train": dict(settings), "recipe": dict(recipe)}, sort_keys=False
            )
            _write_text(self.folder / "config.yaml", text)

    def metrics(self, history: Sequence[Row]) -> None:
        """Write metrics.jsonl, one line for each epoch so far."""
        if self._is_main:
            lines = "".join(json.dumps(row) + "\n" for row in history)
            _write_text(self.folder / "metrics.jsonl", lines)

    def checkpoint(self, name: str, checkpoint: Checkpoint) -> None:
        """Write a checkpoint."""
        if self._is_main:
            save_checkpoint(checkpoint, self.folder / name)

    def scores(self, manifest: pd.DataFrame, logits: NDArray[np.float64], recipe_hash: str) -> None:
        """Write oof.csv, the scores of the held-out images; the others have NaN for a logit."""
        if self._is_main:
            table = prediction_table(manifest, logits, recipe_hash, self._key)
            write_csv(table, self.folder / "oof.csv")

    def rejects(self, rejects: Sequence[Reject]) -> None:
        """Write rejects.csv, which names paths and so is for its owner only."""
        if self._is_main:
            write_rejects(rejects, self.folder / REJECTS)


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def _exit_code(error: BaseException) -> int:
    """The code that `mammo` returns for this error."""
    if isinstance(error, MammoError):
        return error.exit_code
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return 130 if isinstance(error, KeyboardInterrupt) else 1


def _write_text(path: Path, text: str) -> None:
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")
