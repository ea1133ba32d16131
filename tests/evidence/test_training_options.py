"""Each option of training by itself, in toy runs that are stopped at several places and go on."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.manifest import write_manifest
from tests.trainer.conftest import (  # noqa: F401 - fixtures
    fake_source,
    toy_frame,
    toy_manifest,
    toy_records,
    toy_runs,
)
from tests.trainer.toy_runs import DATA, same
from trainer.augment.settings import AugmentSettings
from trainer.augment.texture_settings import MixupSettings
from trainer.losses.settings import LossSettings, TaskSettings
from trainer.networks.settings import FUSIONS, ModelSettings
from trainer.optim.settings import AverageSettings, OptimSettings, SpeedSettings

pytestmark = pytest.mark.slow

SHARES: dict[str, Any] = {
    "positive_share": ((0, 0.5), (1, 0.25)),
    "keep_negatives": ((0, 1.0), (1, 0.5)),
}
RATES = OptimSettings(lr=5e-3, step_epochs=1)
OPTIONS: dict[str, dict[str, Any]] = {
    "mixup": {"augment": AugmentSettings(hflip=0.5, mixup=MixupSettings(p=0.8, alpha=0.4))},
    "focal": {"loss": LossSettings(kind="focal")},
    "soft-fbeta": {"loss": LossSettings(kind="soft-fbeta")},
    "smooth": {"loss": LossSettings(smooth=0.1, smooth_side="positive")},
    "auto": {"loss": LossSettings(pos_weight="auto"), "data": replace(DATA, positive_share=None)},
    "tasks": {"loss": LossSettings(tasks=TaskSettings(age=0.5, density=0.2))},
    "bf16": {"speed": SpeedSettings(amp="bf16")},
    "fp16": {"speed": SpeedSettings(amp="fp16")},
    "shares": {"data": replace(DATA, **SHARES)},
    "apart": {"data": replace(DATA, patients="apart")},
    "one": {"data": replace(DATA, batch=4, patients="one")},
    "draw": {"data": replace(DATA, balance="draw")},
    "repeat": {"data": replace(DATA, positive_share=0.25, balance="repeat")},
    "accumulate": {"optim": OptimSettings(lr=5e-3, accumulate=3)},
    "layer decay": {"optim": OptimSettings(lr=5e-3, layer_decay=0.5)},
    "clipping": {"optim": OptimSettings(lr=5e-3, clip_norm=0.01)},
    "restarts": {"optim": replace(RATES, schedule="restarts")},
    "step": {"optim": replace(RATES, schedule="step")},
    "one-cycle": {"optim": replace(RATES, schedule="one-cycle")},
    "frozen": {"optim": OptimSettings(lr=5e-3, frozen=("backbone",), frozen_epochs=1)},
    "ema, top": {"average": AverageSettings(ema=0.9, top=2), "epochs": 3},
    "convnext": {"model": ModelSettings("test_convnext", drop_path=0.2)},
    "vit": {"model": ModelSettings("test_vit", head="mlp", hidden=8, drop=0.1)},
    "checkpointing": {"speed": SpeedSettings(checkpointing=True)},
}
CI = ("fp16", "restarts", "vit")
# 2 epochs of 7 + 4 batches, or fewer: while training, validating, and in the second epoch
STOPS = (1, 6, 9, 13)


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_survives_stops(
    toy_runs: Any,  # noqa: F811
    toy_frame: pd.DataFrame,  # noqa: F811
    full: bool,
    name: str,
) -> None:
    if not full and name not in CI:
        pytest.skip("the slice of CI takes a few")
    known = np.arange(64) % 3 == 0
    told = toy_frame.assign(
        age=pd.array(np.where(known, 60, 0), "Int16"), density=np.where(known, "B", "")
    )
    write_manifest(told, toy_runs.manifest)
    changes = {"epochs": 2, "log_blocks": 2, **OPTIONS[name]}
    result = toy_runs.assert_survives(*(STOPS if full else STOPS[1:2]), **changes)
    assert all(np.isfinite(row["train/loss"]) for row in result.history)
    toy_runs("plain", **{k: v for k, v in changes.items() if k in {"epochs", "log_blocks"}})
    is_other = not same(toy_runs.last("plain").model, toy_runs.last("whole").model)
    assert is_other == (name not in {"ema, top", "checkpointing"})  # no part in what is learned


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("unit", ["breast", "exam"])
def test_every_fusion_of_every_unit_survives_stops(
    toy_runs: Any,  # noqa: F811
    full: bool,
    unit: Any,
    fusion: Any,
) -> None:
    """2 epochs of 3 + 2 batches of exams, or twice that."""
    if not full and (unit, fusion) != ("breast", "transformer"):
        pytest.skip("the slice of CI takes one")
    model = ModelSettings("test_resnet", unit=unit, fusion=fusion, drop=0.1)
    stops = (2, 4, 7) if full else (2,)
    toy_runs.assert_survives(*stops, model=model, data=replace(DATA, batch=4), epochs=2)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile on a CPU needs g++")
def test_a_compiled_network_survives_a_stop(
    toy_runs: Any,  # noqa: F811
    full: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """In a cache of its own: a compilation that was killed leaves half a file in the common one."""
    if not full:
        pytest.skip("compiling takes a minute")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    changes = {
        "model": ModelSettings("test_convnext"),
        "speed": SpeedSettings(compile=True),
        "average": AverageSettings(ema=0.9),
    }
    compiled = toy_runs.assert_survives(3, **changes)
    plain = toy_runs("plain", model=changes["model"])
    losses = [run.history[0]["train/loss"] for run in (compiled, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
