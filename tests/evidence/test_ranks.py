"""How a batch is dealt out, over ranks or over time, does not change what is learned."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from tests.evidence.run_contents import furthest, last_weights, metrics
from tests.evidence.small_study import with_settings, write_study
from tests.evidence.training_runs import Study, finish

pytestmark = pytest.mark.slow

WHOLE: Final = 8  # the units of a step, whoever learns them
TOLERANCE: Final = 1e-5
# No batch norm, which sees the batch of one rank, and no dropout, which draws on each. An epoch's
# units come as they are: a share of positives is of each batch, so smaller ones hold others.
SETTINGS: Final[dict[str, Any]] = {
    "epochs": 3,
    "seed": 3,
    "threads": 1,
    "monitor": "image/auroc",
    "model": {"name": "test_convnext"},
    "data": {"positive_share": None},
    "augment": {"preset": "light"},
    "optim": {"lr": 1e-3},
    "speed": {"amp": "off"},
}
DEALT: Final = {  # ranks, batches in a step of each
    "two ranks": (2, 1),
    "accumulated": (1, 2),
    "two ranks, accumulated": (2, 2),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Study:
    """120 images to learn from, or 48; 1 in 20 gives none."""
    folder = tmp_path_factory.mktemp("ranks")
    return write_study(folder, 40 if full else 16, SETTINGS)


def test_the_loss_curve_is_that_of_one_rank_with_the_whole_batch(
    study: Study, full: bool, record_evidence: Callable
) -> None:
    wanted, facts = run(study, "one rank", 1, 1), {}
    curve = losses(wanted)
    for name, (ranks, accumulate) in DEALT.items():
        if not full and name == "two ranks, accumulated":
            continue
        found = run(study, name, ranks, accumulate)
        assert len(losses(found)) == len(curve)
        facts[name] = {
            "loss": float(np.abs(losses(found) - curve).max()),
            "weights": furthest(last_weights(found), last_weights(wanted)),
        }
    learned = float(curve[:3].mean() - curve[-3:].mean())
    record_evidence("ranks", {"rows": len(curve), "loss_fell_by": learned, "furthest_apart": facts})
    assert max(fact["loss"] for fact in facts.values()) <= TOLERANCE


def run(study: Study, name: str, ranks: int, accumulate: int) -> Path:
    """The run directory of one way to deal out a step, with a row of figures for each step."""
    batch = WHOLE // ranks // accumulate
    settings = {
        **SETTINGS,
        "log_blocks": ranks * accumulate,
        "data": {**SETTINGS["data"], "batch": batch},
        "optim": {**SETTINGS["optim"], "accumulate": accumulate},
    }
    out = study.manifest.with_name(name)
    finish(with_settings(study, name, settings), out, out.with_name(f"{name} notes"), ranks)
    return out


def losses(out: Path) -> np.ndarray:
    """The mean loss of the epoch up to each step."""
    return np.array([row["train/loss"] for row in metrics(out)])
