"""Who may become a member: trained networks with the scores of the fold that they never saw.

A run directory is one candidate, that of a cross-validation one for each of its folds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.checksums import file_sha256
from trainer.run_folder import MODEL, SCORES, fold_folders
from trainer.scores.reading import read_predictions


@dataclass(frozen=True, slots=True)
class Candidate:
    """A network and its out-of-fold scores.

    `model` is model.json, which also holds the SHA-256 of its weights, so that its own stands for
    network, weights and recipe together. `scores` has a row an image of fold `fold`, with label.
    """

    model: Path
    fold: int
    scores: pd.DataFrame

    @property
    def sha256(self) -> str:
        """The SHA-256 of model.json."""
        return file_sha256(self.model)


def find_candidates(runs: Sequence[Path]) -> list[Candidate]:
    """The candidates of run directories, in their order and that of the folds.

    Raises ConfigError where a directory is no finished run that held out a fold, DatasetError where
    its table of scores cannot be used.
    """
    folders = [folder for run in runs for folder in _folders(run)]
    repeated = len(folders) - len({folder.resolve() for folder in folders})
    if repeated:
        raise ConfigError(f"{repeated} of the runs are named twice; name each once")
    return [_candidate(folder) for folder in folders]


def _folders(run: Path) -> list[Path]:
    """The directories with a network: those of the folds, where it is a cross-validation."""
    if not run.is_dir():
        raise ConfigError(f"no run directory {str(run)!r}; `mammo train -O RUN` makes them")
    return fold_folders(run) or [run]


def _candidate(folder: Path) -> Candidate:
    model, scores = (folder / MODEL).with_suffix(".json"), folder / SCORES
    for path in (model, scores):
        if not path.is_file():
            raise ConfigError(
                f"{str(folder)!r} has no {path.name}: it is no run of `mammo train` that held out "
                "a fold and came to its end; finish it, or leave it out"
            )
    table = read_predictions(scores)
    _require_usable(table, scores)
    return Candidate(model, int(table["fold"].iloc[0]), table)


def _require_usable(table: pd.DataFrame, path: Path) -> None:
    missing = {"patient_id", "laterality", "logit", "cancer", "fold"} - set(table.columns)
    if missing:
        raise DatasetError(f"{str(path)!r} lacks the column {', '.join(sorted(missing))}")
    is_known = np.isfinite(table["logit"]) & table[["cancer", "fold"]].notna().all(axis=1)
    if table.empty or not is_known.all():
        raise DatasetError(f"{str(path)!r} has no rows, or rows without logit, label or fold")
    if not table["cancer"].isin([0, 1]).all():
        raise DatasetError(f"{str(path)!r} has labels (column cancer) other than 0 and 1")
    if len(set(table["fold"])) > 1:
        raise DatasetError(
            f"{str(path)!r} holds several folds; name the run directory of a fold or of the whole "
            "cross-validation"
        )
