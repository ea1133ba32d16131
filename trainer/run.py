"""Where a run stands: learner, epoch, blocks done, best so far; how it is kept and taken up again.

Between `train`, which decides what comes next, and the passes of `epoch`, which do the work.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.plan import Blocks, sequential_blocks, shuffled_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.counts import VerdictCounts, count_images
from dali_pipelines.rejects.table import REJECTS, read_rejects
from dali_pipelines.settings import to_dict
from dali_pipelines.verdicts import Reject
from trainer.checkpoint import Checkpoint, load_checkpoint
from trainer.cohort import Cohort
from trainer.epoch import Pass, Source, Step, collect, gather_rejects, score_pass, train_pass
from trainer.journal import versions
from trainer.learner import Learner
from trainer.metrics import evaluate_scores
from trainer.predictions import prediction_table
from trainer.sampling_settings import at_epoch
from trainer.settings import TrainSettings

log = logging.getLogger("mammo.train")

# settings that may change when a run is taken up again, since no number depends on them
_FREE = ("loader", "save_blocks")


@dataclass(slots=True)
class Run:
    """The state of a run; `blocks` of epoch `epoch` are done, both counted from 0.

    `tally` is this rank's part of (sum of losses, images) over the epoch so far, `lost` what gave
    no image before the run was taken up.
    """

    learner: Learner
    cohort: Cohort
    recipe: Recipe
    args: dict[str, Any]
    epoch: int = 0
    blocks: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    tally: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    lost: list[Reject] = field(default_factory=list)

    @property
    def settings(self) -> TrainSettings:
        """The settings of the run."""
        return self.learner.settings

    @property
    def is_done(self) -> bool:
        """Whether every epoch is behind."""
        return self.epoch >= self.settings.epochs

    def plan(self) -> Blocks:
        """The global blocks of this epoch, which point to the records of the cohort."""
        settings, train = self.settings, self.cohort.train
        share = settings.data.positive_share
        places = shuffled_blocks(
            self.cohort.labels[train],
            len(train),
            settings.data.batch,
            settings.seed,
            self.epoch,
            None if share is None else at_epoch(share, self.epoch),
        )
        return np.where(places < 0, -1, train[places])

    def train(self, source: Source) -> Iterator[Step]:
        """Train on what is left of this epoch, one item a step; may be left after any."""
        blocks = self.plan()
        done = Pass(self.epoch * len(blocks), self.blocks, self.settings.epochs * len(blocks))
        for step in train_pass(self.learner, source, blocks, self.cohort.labels, done):
            self.blocks = step.blocks
            self.tally += step.loss * step.images, step.images if self.learner.world.is_main else 0
            yield step

    def score(self, source: Source) -> NDArray[np.float64]:
        """Logits (n,) of the cohort's records: those held out, NaN for the others.

        Cut short where this process is asked to stop.
        """
        held_out, world = self.cohort.held_out, self.learner.world
        world.share_buffers(self.learner.model)
        places = sequential_blocks(len(held_out), self.settings.data.batch)
        blocks = np.where(places < 0, -1, held_out[places]) if len(held_out) else places
        scores = score_pass(self.learner.model, source, blocks, world, self.settings.speed.amp)
        going = takewhile(lambda _: not self.learner.stop.is_set(), scores)
        return collect(going, len(self.cohort.frame), world)

    def is_stopped(self) -> bool:
        """Whether any rank was asked to stop; all ranks call it."""
        return bool(self.learner.world.sum(np.array([self.learner.stop.is_set()], float))[0])

    def rejects(self, source: Source) -> list[Reject]:
        """What gave no image in all of the run so far, each image once; all ranks call it."""
        found = [*self.lost, *gather_rejects(source, self.learner.world)]
        return list({reject.image_id: reject for reject in found}.values())

    def verdicts(self, source: Source) -> VerdictCounts:
        """How the images of the cohort ended so far; all ranks call it."""
        frame = self.cohort.frame
        flagged = dict(zip(frame["image_id"], frame["flags"].map(len) > 0, strict=True))
        return count_images(flagged, self.rejects(source))

    def figures(self, logits: NDArray[np.float64]) -> dict[str, Any]:
        """The figures "val/<level>/<name>" of those logits; {} where nothing was held out."""
        if not len(self.cohort.held_out):
            return {}
        table = prediction_table(self.cohort.frame, logits, self.recipe.hash, key=None)
        return {f"val/{name}": value for name, value in evaluate_scores(table).items()}

    def mean_loss(self) -> float | None:
        """The mean training loss over the images of this epoch so far, on every rank."""
        loss, images = self.learner.world.sum(self.tally)
        return float(loss / images) if images else None

    def finish_epoch(self, figures: dict[str, Any]) -> bool:
        """Note the figures of the epoch and go on to the next; whether it is the best so far."""
        monitor = f"val/{self.settings.monitor}"
        value = figures.get(monitor)
        self.history.append({"epoch": self.epoch + 1, "train/loss": self.mean_loss(), **figures})
        past = self.best.get("value")
        better = past is None or (value is not None and value > past)
        if better:
            self.best = {"metric": monitor, "value": value, "epoch": self.epoch + 1}
        self.epoch, self.blocks, self.tally = self.epoch + 1, 0, np.zeros(2)
        return better

    def summary(self) -> str:
        """One line on the last epoch: "epoch 1/10  loss 0.1423  val/breast/auroc 0.8710"."""
        row = self.history[-1]
        shown = {"loss": row["train/loss"]}
        if len(self.cohort.held_out):
            name = f"val/{self.settings.monitor}"
            shown[name] = row[name]
        figures = [f"{k} {'undefined' if v is None else f'{v:.4f}'}" for k, v in shown.items()]
        return "  ".join([f"epoch {row['epoch']}/{self.settings.epochs}", *figures])

    def checkpoint(self, *, to_score: bool = False) -> Checkpoint:
        """The state as a checkpoint, to go on from or only to score; all ranks call it."""
        total = self.learner.world.sum(self.tally)
        return Checkpoint(
            model=self.learner.model.state_dict(),
            model_args=self.args,
            recipe=self.recipe.to_dict(),
            recipe_hash=self.recipe.hash,
            settings=to_dict(self.settings),
            optimizer={} if to_score else self.learner.optimizer.state_dict(),
            epoch=self.epoch,
            blocks=self.blocks,
            tally=total.tolist(),
            data=self.cohort.fingerprint,
            best=self.best,
            history=self.history,
            versions=versions(),
        )

    def resume(self, path: Path) -> None:
        """Take up the run of a checkpoint, and the table of rejects beside it.

        Raises ConfigError if its settings differ in more than speed, CheckpointError if it was
        made from other images or labels, or with other pixels.
        """
        try:
            kept = load_checkpoint(path)
        except CheckpointError as error:
            raise CheckpointError(f"{error}; or start over with --resume no") from error
        _require_same_settings(kept.settings, to_dict(self.settings), path)
        if kept.recipe_hash != self.recipe.hash:
            raise CheckpointError(
                f"{str(path)!r} was made with recipe {kept.recipe_hash}, not {self.recipe.hash}; "
                "use its recipe, or start over with --resume no"
            )
        if kept.data != self.cohort.fingerprint:
            raise CheckpointError(
                f"{str(path)!r} was made from other images, labels or folds than the manifest has "
                "now; start over with --resume no"
            )
        self.learner.restore(kept, f"checkpoint {str(path)!r}")
        self.epoch, self.blocks = kept.epoch, kept.blocks
        self.best, self.history = kept.best, kept.history
        if self.learner.world.is_main:
            self.tally = np.array(kept.tally)
        self.lost = _read_lost(path.with_name(REJECTS))
        log.info("resumed from epoch %d, block %d", self.epoch + 1, self.blocks)

    def require_agreement(self) -> None:
        """Raise ConfigError where the ranks would go on from different places; all call it."""
        places = self.learner.world.gather((self.epoch, self.blocks))
        if len(set(places)) > 1:
            raise ConfigError(
                "the ranks do not see the same checkpoint; the run directory must be on a disk "
                f"they share (epoch and block by rank: {places})"
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
