"""What changes while a run learns: the network and its optimizer, built, stepped and restored."""

from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import torch
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.checkpoint import Checkpoint, restore_model
from trainer.distributed import World
from trainer.networks.build import build_model, load_pretrained
from trainer.optim.adamw import build_optimizer
from trainer.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Learner:
    """A network in training on one rank.

    `parallel` is `model` itself on a single rank, else its wrap that averages gradients. `stop`
    is set when this process is asked to end.
    """

    model: nn.Module
    parallel: nn.Module
    optimizer: torch.optim.Optimizer
    settings: TrainSettings
    world: World
    stop: Event

    def update(self) -> None:
        """Clip the gradients and let the optimizer take its step."""
        if self.settings.optim.clip_norm:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.optim.clip_norm)
        self.optimizer.step()

    def restore(self, checkpoint: Checkpoint, source: str) -> None:
        """Go back to the state of a checkpoint; CheckpointError if it is of another network."""
        restore_model(self.model, checkpoint.model, source)
        try:
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (KeyError, ValueError) as error:
            raise CheckpointError(f"{source} has no state for this optimizer: {error}") from error


def build_learner(
    settings: TrainSettings, args: dict[str, Any], world: World, stop: Event
) -> Learner:
    """A learner with weights from the seed, or from the file the settings name."""
    torch.manual_seed(settings.seed)
    model = build_model(args)
    if settings.model.pretrained:
        load_pretrained(model, Path(settings.model.pretrained), args["in_chans"])
    model.to(world.device)
    optimizer = build_optimizer(model, settings.optim)
    return Learner(model, world.parallel(model), optimizer, settings, world, stop)
