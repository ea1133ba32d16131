"""One step of all ranks: the gradients of a few batches each, and what the optimizer makes of them.

The loss is the sum over all valid units divided by their number N, on all ranks and in all batches
of the step. N is known only when the last batch is there, so each backward pass divides by the
number of slots and the gradients are set right once, where slots were empty.
"""

from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.stages import Batch
from trainer.arithmetic import seed_draws
from trainer.augment.mixup import mix
from trainer.learner import Learner
from trainer.networks.build import outputs_of
from trainer.optim.speed import precision
from trainer.rehearsal import rehearse
from trainer.tally import require_converging
from trainer.upload import upload


@dataclass(frozen=True, slots=True)
class Part:
    """One batch of one rank within a step, and its place in the run.

    `targets` (N, T) are those of its units. `positions` (N * V,) are the places of its images in
    the epoch, counted over all ranks; `seed` is of this place in the run.
    """

    batch: Batch
    targets: torch.Tensor
    epoch: int
    positions: NDArray[np.int64]
    seed: int


def learn(learner: Learner, part: Part, *, is_last: bool) -> int:
    """Add the gradients of one batch; the number of its valid units.

    Where `is_last` of the step, the gradients of all ranks are averaged.
    """
    settings, device = learner.settings, learner.world.device
    present = part.batch.valid.view(-1, settings.model.views)  # on the CPU: no wait for the device
    valid = present.any(1)
    count = int(valid.sum())
    images, targets = _prepared(learner, part, present)
    shown = _masked(present, device)
    rehearse(learner, images, shown)
    learner.set_training(_fits_batch_norm(learner, count))
    seed_draws(part.seed, device)  # dropout: a run that was taken up draws the same numbers
    waits = nullcontext() if is_last else learner.no_sync()
    with waits:
        with precision(device, settings.speed.amp):
            outputs = outputs_of(learner.parallel, images, shown)
        loss = learner.loss(outputs, targets, upload(valid.numpy(), torch.bool, device))
        learner.scaler.scale(loss / _slots(learner)).backward()  # type: ignore[no-untyped-call]
    learner.tally.add(loss, count)
    return count


def finish(learner: Learner, count: int, images: int) -> tuple[int, bool]:
    """Let the optimizer take the step; its units on all ranks, and whether any rank is to stop.

    `count` and `images` are the valid units and images of this rank in the step. Raises ConfigError
    on all ranks where training diverged on any; on GPUs that shows where figures are written.
    """
    world = learner.world
    loss = learner.tally.values()[0] if world.device.type == "cpu" else 0.0  # a GPU would wait
    mine = np.array([count, images, learner.stop.is_set(), loss], dtype=np.float64)
    total, every, stops, losses = world.sum(mine)
    require_converging(losses)
    if total:
        learner.update(_slots(learner) * world.size / total)
    learner.optimizer.zero_grad(set_to_none=True)
    learner.timing.count(int(every))
    return int(total), bool(stops)


def fill_empty_slots(images: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """Images (N, C, H, W) with each slot that is not valid a copy of a valid one, in turn.

    Batch norm then sees real images only. Where no slot is valid, all stay placeholders.
    """
    order = torch.argsort(valid.logical_not(), stable=True)  # valid slots first
    slots = torch.arange(len(valid), device=valid.device)
    donors = order[slots % valid.sum().clamp(min=1)]
    filled: torch.Tensor = images[torch.where(valid, slots, donors)]
    return filled


def _prepared(
    learner: Learner, part: Part, present: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The images and targets of a batch on the device, filled up, augmented and mixed."""
    device, settings = learner.world.device, learner.settings
    images = part.batch.images.to(device, memory_format=learner.memory_format)
    if not part.batch.valid.all():
        valid = upload(part.batch.valid.numpy(), torch.bool, device)
        images = fill_empty_slots(images, valid)
    targets = upload(part.targets.numpy(), torch.float32, device)
    if learner.augmenter is not None:
        images = learner.augmenter(images, part.epoch, part.positions)
    if settings.augment.mixup.p:
        samples = part.positions[:: settings.model.views] // settings.model.views
        place = settings.seed, part.epoch, samples
        return mix(images, targets, present, settings.augment.mixup, *place)
    return images, targets


def _fits_batch_norm(learner: Learner, count: int) -> bool:
    """Whether batch norm may look at this batch: placeholders must not reach its averages.

    Where ranks share them, none may while one has only placeholders: it would be waited for.
    """
    world = learner.world
    if not learner.settings.speed.sync_bn:
        return count > 0
    return bool(world.sum(np.array([count > 0], dtype=np.float64))[0] == world.size)


def _masked(present: torch.Tensor, device: torch.device) -> torch.Tensor | None:
    """Which views of each unit are there, None where a unit is an image."""
    return upload(present.numpy(), torch.bool, device) if present.shape[1] > 1 else None


def _slots(learner: Learner) -> int:
    """The units of a whole step on one rank, those of slots that stay empty among them."""
    return learner.settings.optim.accumulate * learner.settings.data.batch
