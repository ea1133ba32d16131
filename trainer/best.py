"""What is kept of a run to score by: its best epoch, or the mean of its best ones."""

import logging
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trainer.checkpoint import Checkpoint, load_checkpoint, restore_model
from trainer.journal import Journal
from trainer.optim.averages import average_weights
from trainer.resume import to_checkpoint
from trainer.run import Run
from trainer.run_folder import AVERAGE, epoch_file
from trainer.source import Source

log = logging.getLogger("mammo.train")


def keep_epoch(run: Run, logits: NDArray[np.float64], journal: Journal, *, better: bool) -> None:
    """Keep the epoch that was just closed, where it is the best or among those to be averaged.

    All ranks call it.
    """
    top = run.top_epochs
    if not better and run.epoch not in top:
        return
    to_score = to_checkpoint(run, run.learner.scored.state_dict())
    if better:
        journal.checkpoint(run.best_file, to_score)
        if len(run.cohort.held_out):
            journal.scores(run.cohort.frame, logits, run.recipe.hash, run.settings.model.unit)
    if top:
        journal.top(to_score if better else _of_its_own(run, logits, to_score), top)


def _of_its_own(run: Run, logits: NDArray[np.float64], to_score: Checkpoint) -> Checkpoint:
    """The checkpoint of an epoch that is not the best, with its own figure and threshold."""
    best = {"metric": run.monitor, "value": run.monitored[-1], "epoch": run.epoch}
    return replace(to_score, best=best, threshold=run.threshold_of(logits))


def finish_run(run: Run, source: Source, journal: Journal) -> str | None:
    """Average the best epochs if that is asked for, and write the weights for other programs.

    Returns the name of the checkpoint to score by: the average where its monitored figure is not
    below that of the best epoch. None where the run was asked to stop before. All ranks call it.
    """
    average = journal.folder / AVERAGE
    is_due = len(run.top_epochs) > 1 and not average.exists()
    if is_due and not _average(run, source, journal):
        return None
    name = run.best_file
    if average.exists() and _is_no_worse(load_checkpoint(average).best["value"], run):
        name = AVERAGE
    if run.learner.world.is_main:
        journal.artifact(load_checkpoint(journal.folder / name))
    return name


def _average(run: Run, source: Source, journal: Journal) -> bool:
    """Write the mean of the best epochs with its figure; False where the run is to stop before."""
    files = {epoch: journal.folder / epoch_file(epoch) for epoch in run.top_epochs}
    epochs = [epoch for epoch, path in files.items() if path.exists()]  # all, but after damage
    weights = average_weights(load_checkpoint(files[epoch]).weights for epoch in epochs)
    restore_model(run.learner.scored, weights, "the average of the best epochs")
    logits = run.score(source)
    if run.is_stopped():
        return False
    value = run.figures(logits).get(run.monitor)
    best = {"metric": run.monitor, "value": value, "epochs": epochs}
    if _is_no_worse(value, run):
        journal.scores(run.cohort.frame, logits, run.recipe.hash, run.settings.model.unit)
    kept = replace(to_checkpoint(run, weights), best=best, threshold=run.threshold_of(logits))
    journal.checkpoint(AVERAGE, kept)  # last: where it is, this is not done again
    run.learner.world.gather(None)  # no rank looks for the file before it is there
    log.info("mean of epochs %s: %s %s", epochs, run.monitor, value)
    return True


def _is_no_worse(value: float | None, run: Run) -> bool:
    """Whether a monitored figure is at least that of the best epoch."""
    past = run.best.get("value")
    return value is not None and (past is None or value >= past)
