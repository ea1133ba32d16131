"""The work of a run: an epoch of training and one of validation, again and again.

    train_pass -> score_pass -> figures -> checkpoint

A wish to stop is met after any step; what is kept by then is enough to go on with the same numbers.
"""

import logging
from typing import Literal

from dali_pipelines.errors import RejectsError
from dali_pipelines.rejects.limits import RejectLimit
from dali_pipelines.rejects.table import REJECTS
from trainer.best import keep_epoch
from trainer.journal import Journal
from trainer.resume import to_checkpoint
from trainer.run import Run
from trainer.run_folder import LAST
from trainer.source import Source

Ending = Literal["done", "preempted"]

log = logging.getLogger("mammo.train")


def go_on(run: Run, source: Source, journal: Journal, limit: RejectLimit) -> Ending:
    """Work to the end of the last epoch, or until the run is asked to stop; all ranks call it.

    Raises RejectsError where too many images are lost, by now or before the run was taken up.
    """
    _require_few_lost(run, source, journal, limit)
    while not run.is_done:
        if not (_train(run, source, journal) and _validate(run, source, journal)):
            _save(run, source, journal)
            return "preempted"
        _require_few_lost(run, source, journal, limit)
    return "done"


def _require_few_lost(run: Run, source: Source, journal: Journal, limit: RejectLimit) -> None:
    """Raise RejectsError, and say what was lost, where that is too much; all ranks call it."""
    counts = run.verdicts(source)
    try:
        limit.enforce(counts.rejected, counts.inputs)
    except RejectsError:
        log.info("%s", counts.line(journal.folder / REJECTS))
        raise


def _save(run: Run, source: Source, journal: Journal) -> None:
    """Keep the state of the run, and first what it lost so far: that is not met again."""
    journal.rejects(run.rejects(source))
    journal.checkpoint(LAST, to_checkpoint(run))


def _train(run: Run, source: Source, journal: Journal) -> bool:
    """Train to the end of the epoch; False where the run was asked to stop before."""
    settings, before = run.settings, run.blocks
    for step in run.train(source):
        # at the same places however often the run was taken up; at its end the epoch has its own
        if _passes(settings.log_blocks, before, run.blocks) and not run.is_at_end:
            journal.metrics_row({**run.place, "block": run.blocks, **run.progress()})
            journal.timing_row({**run.place, "block": run.blocks, **run.learner.timing.row()})
        if step.stop:
            return False
        if _passes(settings.save_blocks, before, run.blocks) and not run.is_at_end:
            _save(run, source, journal)
        before = run.blocks
    return True


def _passes(every: int, before: int, now: int) -> bool:
    """Whether a multiple of `every` lies in (before, now]; never where that is 0."""
    return every > 0 and now // every > before // every


def _validate(run: Run, source: Source, journal: Journal) -> bool:
    """Score the held-out fold and close the epoch; False where the run was asked to stop."""
    journal.timing_row({**run.place, "pass": "train", **run.learner.timing.row()})
    if len(run.cohort.held_out):
        _save(run, source, journal)  # what kills the scoring does not cost the epoch
    logits = run.score(source)
    if run.is_stopped():
        return False
    journal.timing_row({**run.place, "pass": "validate", **run.learner.timing.row()})
    better = run.finish_epoch(logits)
    journal.metrics_row(run.history[-1])
    keep_epoch(run, logits, journal, better=better)
    _save(run, source, journal)
    is_best = better and len(run.cohort.held_out) > 0
    log.info("%s%s", run.summary(), "  best so far" if is_best else "")
    return True
