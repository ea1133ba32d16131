"""What is here for optimization, all of it in runs that are cut and taken up."""

import math
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from trainer.checkpoint import load_checkpoint
from trainer.networks.settings import ModelSettings
from trainer.optim.settings import AverageSettings, OptimSettings, SpeedSettings
from trainer.run_folder import LAST
from trainer.sampling_settings import DataSettings
from trainer.settings import TrainSettings
from trainer.train import RunOptions, TrainResult, train

RECIPE = Recipe("toy", resize=ResizeSettings(size=(32, 32)))
SETTINGS = TrainSettings(
    epochs=3,
    seed=3,
    threads=1,
    save_blocks=1,
    model=ModelSettings("test_resnet", drop=0.1),
    data=DataSettings(batch=4),  # 8 blocks an epoch
)
MANY_THINGS = replace(
    SETTINGS,
    optim=OptimSettings(
        name="momentum",
        lr=0.05,
        layer_decay=0.7,
        frozen=("backbone",),
        frozen_epochs=1,
        schedule="plateau",
        patience=0,
        factor=0.5,
        accumulate=3,
    ),
    average=AverageSettings(ema=0.9, top=2),
    speed=SpeedSettings(channels_last=True, checkpointing=True),
)
HALF = replace(
    SETTINGS,
    optim=OptimSettings(lr=0.01, schedule="one-cycle", warmup_lr=1e-4, betas=(0.8, 0.99)),
    average=AverageSettings(ema=0.8, ema_warmup=False),
    speed=SpeedSettings(amp="fp16"),
)


@pytest.fixture
def go(toy_manifest: Path, fake_source: Any, tmp_path: Path) -> Any:
    def run(name: str, settings: TrainSettings, die_at: int = -1) -> TrainResult:
        seen = []

        def watch(_number: int) -> None:
            seen.append(1)
            if len(seen) == die_at:
                raise KeyboardInterrupt

        def open_source(records: Sequence[ImageRecord], *rest: Any) -> Any:
            source = fake_source(records, *rest)
            source.on_batch = watch
            return source

        options = RunOptions(device="cpu", open_source=open_source)
        return train(settings, RECIPE, toy_manifest, tmp_path / name, options)

    return run


def _states(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor that a run goes on from, and its scale of float16."""
    kept = load_checkpoint(folder / LAST)
    moments = [v for s in kept.optimizer["state"].values() for v in s.values()]
    named = {f"moment {k}": v for k, v in enumerate(moments) if isinstance(v, torch.Tensor)}
    averages = {f"average {k}": v for k, v in kept.ema.items()}
    scale = {"scale": torch.tensor(kept.scaler.get("scale", 1.0))}
    return {**kept.model, **averages, **named, **scale}


def _is_the_same_when_cut(go: Any, folder: Path, settings: TrainSettings, batch: int) -> bool:
    """Whether a run that dies at that batch, and is taken up, ends as `folder`/whole did."""
    with pytest.raises(KeyboardInterrupt):
        go("cut", settings, die_at=batch)
    torch.manual_seed(99)
    go("cut", settings)
    histories = [load_checkpoint(folder / name / LAST).history for name in ("whole", "cut")]
    wanted, found = _states(folder / "whole"), _states(folder / "cut")
    return histories[0] == histories[1] and all(
        torch.equal(wanted.pop(name), tensor) for name, tensor in found.items()
    )


def test_settings_of_optimization_reach_a_run_and_survive_a_cut(go: Any, tmp_path: Path) -> None:
    """With factor 0.5 and no patience the rate halves at each epoch that brings no rise."""
    result = go("whole", MANY_THINGS)
    figures = [row["val/breast/auroc"] for row in result.history]
    is_bad = [figures[k] <= max(figures[:k], default=-1.0) for k in range(2)]
    rates = [row["lr"] for row in result.history]
    assert rates == pytest.approx([0.05 * 0.5 ** sum(is_bad[:k]) for k in range(3)])
    kept = load_checkpoint(tmp_path / "whole" / LAST)
    assert kept.steps == 3 * math.ceil(result.history[0]["step"] / 3)
    assert len(kept.optimizer["param_groups"]) > 4  # layers
    assert kept.ema.keys() == kept.model.keys()
    assert not torch.equal(kept.ema["fc.weight"], kept.model["fc.weight"])
    assert _is_the_same_when_cut(go, tmp_path, MANY_THINGS, 15)


@pytest.mark.slow
@pytest.mark.parametrize("settings", [MANY_THINGS, HALF], ids=["many things", "float16"])
def test_a_run_that_is_cut_anywhere_ends_as_one_that_is_not(
    go: Any, tmp_path: Path, settings: TrainSettings
) -> None:
    """Batch 6 is amid the second step of 3 batches, in the frozen epoch; the others are later."""
    whole = go("whole", settings)
    assert whole.state == "done"
    full = os.environ.get("MAMMO_EVIDENCE", "full") == "full"
    for batch in (6, 15, 30) if full else (6,):
        assert _is_the_same_when_cut(go, tmp_path, settings, batch)
        shutil.rmtree(tmp_path / "cut")
