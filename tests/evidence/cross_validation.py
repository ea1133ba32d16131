"""Out-of-fold scores by the commands that a user gives: no image is scored by what learned it."""

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from cli.main import main


@dataclass(frozen=True)
class Study:
    """A manifest with folds, its prepared images, and the options of `mammo train` for it."""

    manifest: Path
    shards: Path
    options: tuple[str, ...]

    def out_of_fold(self, out: Path, folds: Sequence[int]) -> tuple[pd.DataFrame, list[float]]:
        """A row for each image of these folds, and the CPU seconds of each fold, all threads.

        The last epoch scores, not the best one: that is chosen on the fold that is scored.
        """
        tables, seconds = [], []
        for fold in folds:
            before = cpu_seconds()
            tables.append(self._fold(out / f"fold{fold}", fold))
            seconds.append(round(cpu_seconds() - before, 1))
        table = pd.concat(tables, ignore_index=True)
        wanted = pd.read_parquet(self.manifest, columns=["sop_instance_uid", "fold"])
        held_out = wanted.loc[wanted["fold"].isin(folds), "sop_instance_uid"]
        assert sorted(table["image_id"]) == sorted(held_out)  # each once
        return table, seconds

    def _fold(self, run: Path, fold: int) -> pd.DataFrame:
        this = ("--fold", str(fold), "--shards", str(self.shards), "--device", "cpu")
        mammo("train", self.manifest, "-O", run, *self.options, *this)
        scores = run.with_suffix(".csv")
        last = next(run.rglob("last.pt"))
        mammo("predict", self.manifest, "--ckpt", last, "--ids", "raw", "-O", scores, *this)
        return pd.read_csv(scores, dtype={"image_id": str, "patient_id": str})


def scan(images: Path, labels: Path, manifest: Path, folds: int) -> None:
    """A manifest with labels and folds."""
    mammo("scan", images, "-O", manifest, "--labels", labels)
    mammo("split", manifest, "--folds", str(folds))


def mammo(*arguments: str | Path) -> None:
    """Run a command to its end, in this process: importing torch anew costs seconds each time."""
    with pytest.raises(SystemExit) as ending:
        main(["-q", *map(str, arguments)])
    assert ending.value.code == 0


def cpu_seconds() -> float:
    """User and system time so far, of this process, its threads and the children it waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
