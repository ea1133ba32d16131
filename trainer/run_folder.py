"""The names in a run directory, relative to it.

    ckpt/last.pt, previous.pt   to go on from, as long as one of them is whole
    ckpt/best.pt, average.pt    to score by: the best epoch, the mean of the best ones
    ckpt/epoch-003.pt           the best epochs, as many as are averaged
    model.safetensors, .json    the weights to score by, for other programs too
    config.yaml, env.json       settings and recipe as resolved; versions and machine
    metrics.jsonl, timing.jsonl figures of the run: those it must repeat, those of the clock
    oof.csv, rejects.csv        scores of the held-out fold; what gave no image
    status.json, log.txt        for scripts and for people; trackers.json: ids of runs elsewhere
    in_flight/                  ids of images on a GPU, and of those that may have made it fail

A cross-validation has fold-0 and so on, each such a directory, and for all of them together

    oof.csv, oof.json           the scores of every image, and their figures
    ensemble.json               all folds as one, with the threshold chosen on those scores

Each checkpoint and model file has its SHA-256 beside it.
"""

from pathlib import Path
from typing import Final

from dali_pipelines.rejects.table import REJECTS
from trainer.checksums import remove_with_checksum

LAST: Final = "ckpt/last.pt"
PREVIOUS: Final = "ckpt/previous.pt"
BEST: Final = "ckpt/best.pt"
AVERAGE: Final = "ckpt/average.pt"
MODEL: Final = "model.safetensors"
METRICS: Final = "metrics.jsonl"
TIMING: Final = "timing.jsonl"
SCORES: Final = "oof.csv"
ENSEMBLE: Final = "ensemble.json"
TRACKERS: Final = "trackers.json"
TENSORBOARD: Final = "tensorboard"
IN_FLIGHT: Final = "in_flight"
DOUBTED: Final = "in_flight/doubted.txt"
_FOLD: Final = "fold-"


def fold_folder(run: Path, fold: int) -> Path:
    """The directory of one fold of a cross-validation."""
    return run / f"{_FOLD}{fold}"


def fold_folders(run: Path) -> list[Path]:
    """The directories of the folds that there are, in their order; [] in one fold's own run."""
    numbers = {path: path.name.removeprefix(_FOLD) for path in run.glob(f"{_FOLD}*")}
    folds = [path for path, number in numbers.items() if number.isdecimal() and path.is_dir()]
    return sorted(folds, key=lambda path: int(numbers[path]))


def epoch_file(epoch: int) -> str:
    """The checkpoint of an epoch, counted from 1: "ckpt/epoch-003.pt"."""
    return f"ckpt/epoch-{epoch:03d}.pt"


def drop_epochs(folder: Path, kept: set[int]) -> None:
    """Remove the checkpoints of all epochs but those, counted from 1."""
    names = {Path(epoch_file(epoch)).name for epoch in kept}
    for path in folder.glob("ckpt/epoch-*.pt"):
        if path.name not in names:
            remove_with_checksum(path)


def clear(folder: Path) -> None:
    """Remove what an earlier run left, so that none of it is taken for this one's.

    The checkpoints to go on from are the first to go, the older before the newer, so that a crash
    in between leaves nothing that would be taken up as it never was.
    """
    model = folder / MODEL
    weights = [folder / name for name in (PREVIOUS, LAST, BEST, AVERAGE)]
    for path in (*weights, model.with_suffix(".json"), model):
        remove_with_checksum(path)
    drop_epochs(folder, kept=set())
    events = folder.glob(f"{TENSORBOARD}/events.out.tfevents.*")
    notes = folder.glob(f"{IN_FLIGHT}/*.txt")
    names = (METRICS, TIMING, SCORES, TRACKERS, REJECTS)
    for path in (*events, *notes, *(folder / name for name in names)):
        path.unlink(missing_ok=True)
