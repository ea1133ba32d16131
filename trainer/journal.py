"""The run directory: what a run leaves for people and for scripts, by `trainer.run_folder`.

Rank 0 writes; on other ranks a journal does nothing. Each file is replaced as a whole, so that a
reader never meets half of one; rows of figures are added one by one.
"""

import json
import logging
import os
import platform
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import MammoError
from dali_pipelines.rejects.table import REJECTS, write_rejects
from dali_pipelines.verdicts import Reject
from trainer.artifact import save_artifact, without_paths
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.settings import Unit
from trainer.row_file import append_row, cut_back, sync_rows
from trainer.run_folder import (
    LAST,
    METRICS,
    MODEL,
    PREVIOUS,
    SCORES,
    TIMING,
    clear,
    drop_epochs,
    epoch_file,
)
from trainer.scores.table import prediction_table
from trainer.scores.writing import write_scores
from trainer.trackers.tracker import Trackers, open_trackers

State = Literal["running", "done", "failed", "interrupted", "preempted"]
Row = Mapping[str, Any]


class Journal:
    """Writes the run directory; a context manager that records how the run ended.

    `key` hashes the patient ids in oof.csv.
    """

    def __init__(self, folder: Path, key: bytes, *, is_main: bool) -> None:
        self.folder = folder
        self._key = key
        self._is_main = is_main
        self._handler: logging.Handler = logging.NullHandler()
        self._trackers = Trackers({})
        self._epochs: set[int] | None = None

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
        if error is not None and self._is_main:
            write_failure(self.folder, error)
        self._trackers.close(succeeded=error is None)
        logging.getLogger("mammo").removeHandler(self._handler)
        self._handler.close()

    def status(self, state: State, **facts: Any) -> None:
        """Write status.json, which also says what torchrun does not pass on: the exit code."""
        if self._is_main:
            write_status(self.folder, state, **facts)

    def start_over(self) -> None:
        """Remove what an earlier run left, so that none of it is taken for this one's."""
        if self._is_main:
            clear(self.folder)

    def begin(self, epoch: int, blocks: int, track: Sequence[str] = ()) -> None:
        """Cut the metrics back to where the run goes on, after `blocks` blocks of epoch `epoch`.

        (0, 0) is its beginning. Figures are also sent to the trackers in `track` from now on.
        Raises DeviceError where the package of one is not installed.
        """
        if self._is_main:
            kept, cut = cut_back(self.folder / METRICS, epoch, blocks)
            first_step = kept[-1]["step"] + 1 if kept else 0
            if cut:
                first_step = min(first_step, cut[0]["step"])
            self._trackers = open_trackers(track, self.folder, first_step)
            for row in kept:
                if row["step"] == first_step:  # the last block of an epoch, and the epoch's end
                    self._trackers.log(_figures(row), first_step)

    def environment(self, facts: Row) -> None:
        """Write env.json."""
        if self._is_main:
            _write_text(self.folder / "env.json", json.dumps(dict(facts), indent=2) + "\n")

    def config(self, settings: Row, recipe: Row) -> None:
        """Write config.yaml; trackers that are open are told the settings."""
        if self._is_main:
            content = {"train": dict(settings), "recipe": dict(recipe)}
            _write_text(self.folder / "config.yaml", yaml.safe_dump(content, sort_keys=False))
            self._trackers.config(without_paths(settings))

    def metrics_row(self, row: Row) -> None:
        """Add a row to metrics.jsonl: figures that are the same whenever the run is repeated.

        It has "epoch", from 1, and "step", the blocks of the run so far; within an epoch also
        "block", the blocks of the epoch so far. At the end of an epoch there is one row, without.
        """
        if self._is_main:
            append_row(self.folder / METRICS, row)
            self._trackers.log(_figures(row), row["step"])

    def timing_row(self, row: Row) -> None:
        """Add a row to timing.jsonl, with "epoch" and "step" as in metrics.jsonl, and the time.

        "pass" says what it is about where several are of one step. The file is not cut back: what
        was done twice took its time twice.
        """
        if self._is_main:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            append_row(self.folder / TIMING, {"time": now, **row})
            about = f"timing/{row['pass']}" if "pass" in row else "timing"
            timed = {f"{about}/{name}": value for name, value in _figures(row).items()}
            self._trackers.log(timed, row["step"])

    def checkpoint(self, name: str, checkpoint: Checkpoint) -> None:
        """Write a checkpoint; the last one before stays as the previous one."""
        if self._is_main:
            path = self.folder / name
            path.parent.mkdir(exist_ok=True)
            sync_rows(self.folder / METRICS)
            previous = self.folder / PREVIOUS if name == LAST else None
            save_checkpoint(checkpoint, path, previous)
            if name == LAST and self._epochs is not None:
                drop_epochs(self.folder, self._epochs)

    def top(self, checkpoint: Checkpoint, kept: Collection[int]) -> None:
        """Keep the checkpoints of the epochs in `kept`, from 1, and of no other.

        `checkpoint` is of the epoch that was just closed; it is written if that is among them. The
        others go once the last checkpoint is written: until then the run may fall back to one that
        counts on them.
        """
        if self._is_main:
            if checkpoint.epoch in kept:
                self.checkpoint(epoch_file(checkpoint.epoch), checkpoint)
            self._epochs = set(kept)

    def artifact(self, checkpoint: Checkpoint) -> None:
        """Write model.safetensors and model.json, to score by."""
        if self._is_main:
            save_artifact(checkpoint, self.folder / MODEL)

    def scores(
        self, manifest: pd.DataFrame, logits: NDArray[np.float64], recipe_hash: str, unit: Unit
    ) -> None:
        """Write oof.csv, the scores of the held-out images; the others have NaN for a logit."""
        if self._is_main:
            table = prediction_table(manifest, logits, recipe_hash, self._key, unit)
            write_scores(table, self.folder / SCORES)

    def rejects(self, rejects: Sequence[Reject]) -> None:
        """Write rejects.csv, which names paths and so is for its owner only."""
        if self._is_main:
            write_rejects(rejects, self.folder / REJECTS)


def write_status(folder: Path, state: State, **facts: Any) -> None:
    """Write status.json of a run directory."""
    content = {"state": state, **facts, "pid": os.getpid(), "host": platform.node()}
    _write_text(folder / "status.json", json.dumps(content, indent=2) + "\n")


def write_failure(folder: Path, error: BaseException) -> None:
    """Write status.json of a run that this error ended, if the disk has room for it.

    If not, the error itself is what is to be heard of.
    """
    state: State = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
    with suppress(OSError):
        write_status(folder, state, error=type(error).__name__, exit_code=_exit_code(error))


def _figures(row: Row) -> dict[str, Any]:
    """What a row says beyond its place."""
    return {name: value for name, value in row.items() if name not in {"step", "block"}}


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
