"""Where a run stands: learner, epoch, blocks done, best so far; and what comes of each epoch.

Between `train`, which decides what comes next, and the passes, which do the work.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.counts import VerdictCounts, count_images
from dali_pipelines.verdicts import Reject
from trainer.aggregation.levels import LEVELS, Level
from trainer.aggregation.policy import Aggregation, parse_aggregation
from trainer.cohort import Cohort
from trainer.decisions.rules import parse_rule
from trainer.decisions.threshold import threshold_of
from trainer.epoch import Lesson, Pass, Step, train_pass
from trainer.learner import Learner
from trainer.metrics.figures import evaluate_scores
from trainer.optim.patience import is_stale
from trainer.optim.schedule import learning_rate
from trainer.run_folder import BEST, LAST
from trainer.sampler import epoch_blocks, epoch_length
from trainer.scores.table import prediction_table
from trainer.scoring import collect, score_pass
from trainer.settings import TrainSettings
from trainer.source import Source, gather_rejects
from trainer.tally import Tally, require_converging


@dataclass
class Run:
    """The state of a run; `blocks` of epoch `epoch` are done, both counted from 0.

    `history` has a row of figures for each epoch; `lost` is what gave no image before the run was
    taken up; `threshold` that of the best epoch.
    """

    learner: Learner
    cohort: Cohort
    recipe: Recipe
    args: dict[str, Any]
    epoch: int = 0
    blocks: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    lost: list[Reject] = field(default_factory=list)
    threshold: float | None = None

    @property
    def settings(self) -> TrainSettings:
        """The settings of the run."""
        return self.learner.settings

    @property
    def monitor(self) -> str:
        """The figure that decides which epoch is the best."""
        return f"val/{self.settings.monitor}"

    @property
    def level(self) -> Level:
        """Whether that is a figure of images, breasts, exams or patients."""
        name = self.settings.monitor.partition("/")[0]
        return next(level for level in LEVELS if level == name)

    @property
    def monitored(self) -> list[float | None]:
        """That figure of each epoch so far."""
        return [row.get(self.monitor) for row in self.history]

    @property
    def is_done(self) -> bool:
        """Whether every epoch is behind, or the figure has stopped rising."""
        return self.epoch >= self.settings.epochs or is_stale(
            self.monitored, self.settings.patience
        )

    @property
    def is_at_end(self) -> bool:
        """Whether every block of the epoch is done."""
        return self.blocks == self.lengths[self.epoch]

    @property
    def place(self) -> dict[str, int]:
        """Where the run is, for a row of figures: epoch, from 1, and blocks in all."""
        return {"epoch": self.epoch + 1, "step": sum(self.lengths[: self.epoch]) + self.blocks}

    @property
    def best_file(self) -> str:
        """The checkpoint to score by so far."""
        return BEST if self.best else LAST

    @property
    def top_epochs(self) -> list[int]:
        """The best epochs, from 1, as many as are to be averaged; of equal ones the earlier."""
        known = [(v, -e) for e, v in enumerate(self.monitored, start=1) if v is not None]
        return sorted(
            -epoch for _, epoch in sorted(known, reverse=True)[: self.settings.average.top]
        )

    @cached_property
    def lengths(self) -> list[int]:
        """The blocks of each epoch of the run."""
        cohort, data = self.cohort, self.settings.data
        return [
            epoch_length(cohort.labels, cohort.patients, data, epoch)
            for epoch in range(self.settings.epochs)
        ]

    def lesson(self) -> Lesson:
        """What this epoch shows, the same on all ranks."""
        cohort, settings = self.cohort, self.settings
        places = epoch_blocks(
            cohort.labels, cohort.patients, settings.data, settings.seed, self.epoch
        )
        blocks = np.where(places < 0, -1, cohort.train[places])
        return Lesson(self.epoch, blocks, cohort.units, torch.from_numpy(cohort.targets))

    def train(self, source: Source) -> Iterator[Step]:
        """Train on what is left of this epoch, one item a step; may be left after any."""
        self.learner.begin_epoch(self.epoch)
        done = Pass(sum(self.lengths[: self.epoch]), self.blocks, tuple(self.monitored))
        for step in train_pass(self.learner, source, self.lesson(), done):
            self.blocks = step.blocks
            yield step

    def score(self, source: Source) -> NDArray[np.float64]:
        """Logits (n,) of the cohort's images: those held out, NaN for the others.

        Cut short where this process is asked to stop.
        """
        held_out, learner = self.cohort.held_out, self.learner
        if not len(held_out):
            return np.full(len(self.cohort.frame), np.nan)
        learner.world.share_buffers(learner.scored)
        places = sequential_blocks(len(held_out), self.settings.data.batch)
        blocks = np.where(places < 0, -1, held_out[places])
        images, views = self.cohort.units.images(blocks), self.settings.model.views
        scores = score_pass(
            learner.scored,
            source,
            images,
            learner.world,
            self.settings.speed.amp,
            views,
            learner.timing.waits,
        )
        going = takewhile(lambda _: not learner.stop.is_set(), scores)
        logits = collect(going, len(self.cohort.frame), learner.world)
        learner.timing.count(int(np.isfinite(logits).sum()))
        return logits

    def is_stopped(self) -> bool:
        """Whether any rank was asked to stop; all ranks call it."""
        stop = self.learner.stop.is_set()
        return bool(self.learner.world.sum(np.array([stop], float))[0])

    def rejects(self, source: Source) -> list[Reject]:
        """What gave no image in all of the run so far, each image once; all ranks call it."""
        found = [*self.lost, *gather_rejects(source, self.learner.world)]
        return list({reject.image_id: reject for reject in found}.values())

    def verdicts(self, source: Source) -> VerdictCounts:
        """How the images of the cohort ended so far; all ranks call it."""
        frame = self.cohort.frame
        flagged = dict(zip(frame["image_id"], frame["flags"].map(len) > 0, strict=True))
        return count_images(flagged, self.rejects(source))

    @property
    def how(self) -> Aggregation:
        """How scores of images become those of breasts, exams and patients."""
        return parse_aggregation(self.settings.aggregate)

    def threshold_of(self, logits: NDArray[np.float64]) -> float | None:
        """The threshold that the settings' rule chooses on those logits; None where it cannot."""
        rule = parse_rule(self.settings.threshold)
        return threshold_of(self.scores(logits), self.level, self.how, rule)

    def scores(self, logits: NDArray[np.float64]) -> pd.DataFrame:
        """Those logits as a table of scores, with patients by their own names."""
        return prediction_table(
            self.cohort.frame, logits, self.recipe.hash, None, self.settings.model.unit
        )

    def figures(self, logits: NDArray[np.float64]) -> dict[str, Any]:
        """The figures "val/<level>/<name>" of those logits; {} where nothing was held out."""
        if not len(self.cohort.held_out):
            return {}
        figures = evaluate_scores(self.scores(logits), self.how)
        # the word of rank 0: other processors may differ in the last bit, and so in what is best
        first = self.learner.world.gather(figures)[0]
        return {f"val/{name}": value for name, value in first.items()}

    def progress(self) -> dict[str, Any]:
        """The mean loss over the units of this epoch so far, and the rate; all ranks call it."""
        loss, units = self.learner.world.sum(self.learner.tally.values())
        require_converging(loss)
        done = (self.epoch + self.blocks / self.lengths[self.epoch]) / self.settings.epochs
        rate = learning_rate(done, self.settings.optim, self.settings.epochs, self.monitored)
        return {"train/loss": float(loss / units) if units else None, "lr": rate}

    def finish_epoch(self, logits: NDArray[np.float64]) -> bool:
        """Note the figures of the epoch and go on to the next; whether it is the best so far."""
        figures = self.figures(logits)
        value = figures.get(self.monitor)
        self.history.append({**self.place, **self.progress(), **figures})
        past = self.best.get("value")
        better = past is None or (value is not None and value > past)
        if better:
            self.best = {"metric": self.monitor, "value": value, "epoch": self.epoch + 1}
            self.threshold = self.threshold_of(logits) if figures else None
        self.epoch, self.blocks = self.epoch + 1, 0
        self.learner.tally = Tally(self.learner.world.device)
        return better

    def summary(self) -> str:
        """One line on the last epoch: "epoch 1/10  loss 0.1423  val/breast/auroc 0.8710"."""
        row = self.history[-1]
        shown = {"loss": row["train/loss"]}
        if len(self.cohort.held_out):
            shown[self.monitor] = row[self.monitor]
        figures = [f"{k} {'undefined' if v is None else f'{v:.4f}'}" for k, v in shown.items()]
        return "  ".join([f"epoch {row['epoch']}/{self.settings.epochs}", *figures])
