"""What changes while a run learns: the network and its optimizer, built, stepped and restored."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.utils import ModelEmaV3
from torch import nn

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.recipe import Recipe
from trainer.augment.augmenter import Augmenter
from trainer.augment.levels import Levels
from trainer.checkpoint import Checkpoint, restore_model
from trainer.distributed import World
from trainer.losses.loss import Loss, build_loss
from trainer.networks.build import build_model
from trainer.networks.memory import use_checkpointing
from trainer.optim.averages import build_ema
from trainer.optim.frozen import apply_frozen, set_training
from trainer.optim.optimizers import build_optimizer
from trainer.optim.speed import build_scaler, memory_format, prepare_model
from trainer.settings import TrainSettings
from trainer.tally import Tally
from trainer.timing import Timing
from trainer.weights.load import load_weights

log = logging.getLogger("mammo.train")

Augment = Callable[[torch.Tensor, int, NDArray[np.int64]], torch.Tensor]


@dataclass(slots=True)
class Learner:
    """A network in training on one rank.

    `parallel` is `model` itself on a single rank, else its wrap that averages gradients; `ema`
    follows it, None without. `steps` are those of the optimizer so far. `stop` is set when this
    process is asked to end. `rehearsed` is the `parallel` that `rehearse` was called for.
    """

    model: nn.Module
    parallel: nn.Module
    optimizer: torch.optim.Optimizer
    loss: Loss
    settings: TrainSettings
    world: World
    stop: Event
    scaler: torch.amp.GradScaler
    ema: ModelEmaV3 | None = None
    augmenter: Augment | None = None
    tally: Tally = field(init=False)
    timing: Timing = field(init=False)
    steps: int = 0
    rehearsed: nn.Module | None = None

    def __post_init__(self) -> None:
        self.tally = Tally(self.world.device)
        self.timing = Timing(self.world.device)

    @property
    def scored(self) -> nn.Module:
        """The network to score with: the moving average where there is one."""
        return self.model if self.ema is None else self.ema.module

    @property
    def memory_format(self) -> torch.memory_format:
        """How images lie in memory."""
        return memory_format(self.settings.speed)

    def no_sync(self) -> AbstractContextManager[None]:
        """A stretch whose gradients stay on this rank, until those of all are averaged."""
        if isinstance(self.parallel, nn.parallel.DistributedDataParallel):
            stays: AbstractContextManager[None] = self.parallel.no_sync()
            return stays
        return nullcontext()

    def begin_epoch(self, epoch: int) -> None:
        """Let learn what is due in that epoch, counted from 0."""
        if apply_frozen(self.model, self.settings.optim, epoch):
            self.parallel = self.world.parallel(self.model)

    def set_training(self, training: bool) -> None:
        """Switch dropout and batch norm; frozen batch norm keeps its averages."""
        set_training(self.parallel, training)

    def update(self, factor: float) -> None:
        """Multiply the gradients by `factor`, clip them and let the optimizer take its step."""
        clip = self.settings.optim.clip_norm
        if factor != 1 or clip:
            self.scaler.unscale_(self.optimizer)
        if factor != 1:
            for parameter in self.model.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
        if clip:
            nn.utils.clip_grad_norm_(self.model.parameters(), clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.steps += 1
        if self.ema is not None:
            self.ema.update(self.model, self.steps)

    def require_numbers(self) -> None:
        """Raise ConfigError where a weight is none: its last step diverged, and no loss showed."""
        if not all(bool(weight.isfinite().all()) for weight in self.model.parameters()):
            raise ConfigError("a weight is no number: training diverged; lower optim.lr")

    def restore(self, checkpoint: Checkpoint, source: str) -> None:
        """Go back to the state of a checkpoint; CheckpointError if it is of another network."""
        restore_model(self.model, checkpoint.model, source)
        if self.ema is not None:
            restore_model(self.ema.module, checkpoint.ema, source)
        try:
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{source} has no state for this optimizer: {error}") from error
        if checkpoint.scaler:  # {} where the run had none, as on a CPU
            self.scaler.load_state_dict(checkpoint.scaler)
        self.steps = checkpoint.steps
        loss, units = checkpoint.tally_of(self.world.rank, self.world.size)
        self.tally = Tally(self.world.device, loss, units)


def build_learner(
    settings: TrainSettings,
    args: dict[str, Any],
    recipe: Recipe,
    pos_weight: float,
    world: World,
    stop: Event,
) -> Learner:
    """A learner with weights from the seed, or from the file the settings name."""
    torch.manual_seed(settings.seed)
    model = build_model(args)
    if settings.model.pretrained:
        report = load_weights(model, Path(settings.model.pretrained), settings.model.stem)
        if world.is_main:
            log.info("%s", report.line())
    apply_frozen(model, settings.optim, 0)
    model = prepare_model(model, settings.speed, world)
    if settings.speed.checkpointing:
        use_checkpointing(model)  # last: its hooks must be on the batch norms that stay
    augments = settings.augment.changes_images
    return Learner(
        model=model,
        parallel=world.parallel(model),
        optimizer=build_optimizer(model, settings.optim),
        loss=build_loss(settings.loss, pos_weight),
        settings=settings,
        world=world,
        stop=stop,
        scaler=build_scaler(world.device, settings.speed.amp),
        ema=build_ema(model, settings.average),
        augmenter=Augmenter(settings.augment, Levels.of(recipe), settings.seed)
        if augments
        else None,
    )
