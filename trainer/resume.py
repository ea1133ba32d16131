"""A run as a checkpoint, and taken up from the last one that is whole, if it is of the same run."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.rejects.table import REJECTS, read_rejects
from dali_pipelines.settings import to_dict
from dali_pipelines.verdicts import Reject
from trainer.artifact import without_paths
from trainer.checkpoint import Checkpoint, load_latest
from trainer.environment import versions
from trainer.run import Run
from trainer.run_folder import LAST
from trainer.tally import require_converging

log = logging.getLogger("mammo.train")

# settings that may change when a run is taken up again, since no number depends on them
_FREE = ("loader", "save_blocks", "log_blocks", "track")


def resume(run: Run, folder: Path) -> bool:
    """Take up the run in a run directory; False where it has no checkpoint.

    Raises ConfigError if its settings differ in more than speed, CheckpointError if it was made
    from other images or labels, or with other pixels.
    """
    try:
        found = load_latest((folder / LAST).parent)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; or start over with --resume no") from error
    if found is None:
        return False
    path, kept = found
    _require_same_run(run, kept, path)
    run.learner.restore(kept, f"checkpoint {str(path)!r}")
    run.epoch, run.blocks = kept.epoch, kept.blocks
    run.best, run.history, run.threshold = kept.best, kept.history, kept.threshold
    run.lost = _read_lost(folder / REJECTS)
    if run.is_done:
        log.info("all %d epochs are done already; nothing is left to train", run.epoch)
    else:
        log.info("resumed from epoch %d, block %d", run.epoch + 1, run.blocks)
    return True


def to_checkpoint(run: Run, weights: Mapping[str, torch.Tensor] | None = None) -> Checkpoint:
    """The state of a run, to go on from, or with `weights` only to score by; all ranks call it.

    Raises ConfigError where training diverged: what is there to go on from stays.
    """
    learner = run.learner
    learner.require_numbers()
    tallies = learner.world.gather(learner.tally.values().tolist())
    require_converging(sum(loss for loss, _ in tallies))
    to_go_on = weights is None
    settings = to_dict(run.settings)
    return Checkpoint(
        model=learner.model.state_dict() if weights is None else dict(weights),
        ema=learner.ema.module.state_dict() if to_go_on and learner.ema else {},
        optimizer=learner.optimizer.state_dict() if to_go_on else {},
        scaler=learner.scaler.state_dict() if to_go_on else {},
        model_args=run.args,
        recipe=run.recipe.to_dict(),
        recipe_hash=run.recipe.hash,
        settings=settings if to_go_on else without_paths(settings),  # a stranger may get it
        epoch=run.epoch,
        blocks=run.blocks,
        steps=learner.steps,
        tallies=tallies,
        data=run.cohort.fingerprint,
        best=run.best,
        history=run.history,
        versions=versions(),
        world_size=learner.world.size,
        class_prior=run.cohort.prior,
        threshold=run.threshold,
    )


def require_agreement(run: Run) -> None:
    """Raise ConfigError where the ranks would go on from different places; all call it."""
    places = run.learner.world.gather((run.epoch, run.blocks))
    if len(set(places)) > 1:
        raise ConfigError(
            "the ranks do not see the same checkpoint; the run directory must be on a disk "
            f"they share (epoch and block by rank: {places})"
        )


def _require_same_run(run: Run, kept: Checkpoint, path: Path) -> None:
    _require_same_settings(kept.settings, to_dict(run.settings), path)
    if kept.recipe_hash != run.recipe.hash:
        raise CheckpointError(
            f"{str(path)!r} was made with recipe {kept.recipe_hash}, not {run.recipe.hash}; "
            "use its recipe, or start over with --resume no"
        )
    if kept.data != run.cohort.fingerprint:
        raise CheckpointError(
            f"{str(path)!r} was made from other images, labels or folds than the manifest has "
            "now; start over with --resume no"
        )


def _read_lost(path: Path) -> list[Reject]:
    """The rows of a run's table of rejects; none where it has not written one yet."""
    if not path.exists():
        return []
    try:
        return read_rejects(path)
    except (OSError, ConfigError) as error:
        raise CheckpointError(f"{error}; or start over with --resume no") from error


def _require_same_settings(old: dict[str, Any], new: dict[str, Any], path: Path) -> None:
    changed = [
        f"{name} (was {old.get(name)!r}, now {new[name]!r})"
        for name in new
        if name not in _FREE and old.get(name) != new[name]
    ]
    if changed:
        raise ConfigError(
            f"{str(path)!r} is of a run with other settings: {', '.join(changed)}; put them back, "
            "or start over with --resume no"
        )
