"""Runs of small networks on the toy archive, which may be stopped at any batch."""

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from trainer.checkpoint import Checkpoint, load_checkpoint
from trainer.distributed import Device
from trainer.networks.settings import ModelSettings
from trainer.optim.settings import OptimSettings
from trainer.run_folder import LAST, METRICS, SCORES
from trainer.sampling_settings import DataSettings
from trainer.settings import TrainSettings
from trainer.train import RunOptions, TrainResult, train

RECIPE = Recipe("toy", resize=ResizeSettings(size=(32, 32)))
DATA = DataSettings(batch=8, positive_share=0.5)  # 7 batches to train an epoch, 4 to validate
SETTINGS = TrainSettings(
    epochs=1,
    seed=3,
    threads=1,
    model=ModelSettings("test_resnet", drop=0.1),
    optim=OptimSettings(lr=5e-3),
    data=DATA,
)


class ToyRuns:
    """Trains in folders below `folder`; `source` is the one of the last run."""

    def __init__(self, manifest: Path, folder: Path, new_source: Callable[..., Any]) -> None:
        self.manifest = manifest
        self.folder = folder
        self.source: Any = None
        self.device: Device = "cpu"
        self._new_source = new_source

    def __call__(
        self,
        name: str,
        *,
        stop_at: int = 0,
        options: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> TrainResult:
        """A run of `SETTINGS` with `changes`, asked to stop at its batch `stop_at`, from 1."""
        seen: list[int] = []

        def watch(number: int) -> None:
            seen.append(number)
            if len(seen) == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)

        def open_source(records: Sequence[ImageRecord], *rest: Any) -> Any:
            self.source = self._new_source(records, *rest)
            self.source.on_batch = watch
            return self.source

        steered = RunOptions(device=self.device, open_source=open_source, **(options or {}))
        settings = replace(SETTINGS, **changes)
        return train(settings, RECIPE, self.manifest, self.folder / name, steered)

    def last(self, name: str) -> Checkpoint:
        """The checkpoint that a run would go on from."""
        return load_checkpoint(self.folder / name / LAST)

    def assert_survives(self, *batches: int, **changes: Any) -> TrainResult:
        """A run that is stopped at any of those batches ends, to the bit, as one that is not."""
        whole = self("whole", **changes)
        assert whole.state == "done"
        for batch in batches:
            name = f"cut-{batch}"
            assert self(name, stop_at=batch, **changes).state == "preempted"
            torch.manual_seed(99)
            cut = self(name, **changes)
            assert (cut.state, cut.history) == (whole.state, whole.history)
            wanted, found = self.last("whole"), self.last(name)
            assert same(wanted.model, found.model)
            assert same(wanted.ema, found.ema)
            assert (found.steps, found.best) == (wanted.steps, wanted.best)
            for file in (METRICS, SCORES):
                texts = [(self.folder / run / file).read_bytes() for run in ("whole", name)]
                assert texts[0] == texts[1]
        return whole


def same(a: Mapping[str, torch.Tensor], b: Mapping[str, torch.Tensor]) -> bool:
    """Whether two networks have the same weights to the bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
