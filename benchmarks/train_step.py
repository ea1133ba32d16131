"""One training step of a network: on a batch that is ready, and fed by the loader.

If fed steps take as long as the slower of step and loader, one is hidden behind the other; if as
long as both together, training waits.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from benchmarks.job import Job
from benchmarks.loader import open_loader, require_all
from dali_pipelines.stages import Batch
from trainer.losses.loss import build_loss
from trainer.losses.settings import LossSettings
from trainer.networks.arguments import model_args
from trainer.networks.build import build_model, outputs_of
from trainer.networks.settings import ModelSettings
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings
from trainer.optim.speed import precision


@contextmanager
def open_pass(job: Job) -> Iterator[Callable[[], None]]:
    """A pass of steps on one random batch: forward, backward and the optimizer, no input."""
    step = _Step(job)
    counts = [len(batch) for batch in job.batches]
    shape = (max(counts), job.recipe.channels, *job.recipe.size)
    images = torch.randn(shape, device=job.torch_device)

    def run() -> None:
        for count in counts:
            step(images[:count], torch.ones(count, dtype=torch.bool))
        job.finish()

    yield run


@contextmanager
def open_fed_pass(job: Job) -> Iterator[Callable[[], None]]:
    """A pass of as many steps on the loader's batches. Errors as those of the loader's pass."""
    step = _Step(job)
    with open_loader(job) as loader:

        def run() -> None:
            done = 0
            for batch in loader.run(job.blocks):
                step(*_slots(batch))
                done += int(batch.valid.sum())
            job.finish()
            require_all(done, job, loader)

        yield run


class _Step:
    """A network in training, of the architecture that the job names; ConfigError for none."""

    def __init__(self, job: Job) -> None:
        torch.set_num_threads(job.threads)
        torch.manual_seed(0)
        args = model_args(ModelSettings(job.model), job.recipe.channels, job.recipe.size)
        self._device = job.torch_device
        self._model = build_model(args).to(self._device).train()
        self._optimizer = build_optimizer(self._model, OptimSettings())
        self._loss = build_loss(LossSettings(), 1.0)

    def __call__(self, images: torch.Tensor, valid: torch.Tensor) -> None:
        """Learn from one batch, half of it positive."""
        valid = valid.to(self._device)
        targets = (torch.arange(len(valid), device=self._device) % 2).float()
        with precision(self._device, "auto"):
            outputs = outputs_of(self._model, images.to(self._device))
        loss = self._loss(outputs, targets[:, None], valid) / len(valid)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()


def _slots(batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """The part of a batch that the plan fills: the last one may be shorter."""
    count = int((batch.indices >= 0).sum())
    return batch.images[:count], batch.valid[:count]
