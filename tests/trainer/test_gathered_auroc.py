"""The AUROC of scores that 2 and 3 ranks made, over gloo, is that of all scores in one place."""

import runpy
import socket
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from trainer.metrics.figures import score_figures

ROOT = Path(__file__).parents[2]
SETS = (23, 16, 3)  # images; in blocks of 5, so that 3 ranks have 10, 8 and 5 of the first

# Each image is its own logit, rounded so that many are tied; a source cannot give every 7th. The
# ranks meet anew for each world size: ranks 0 and 1, then all.
RANK = """
import os, sys
from pathlib import Path
import numpy as np, torch
from torch import nn
from dali_pipelines.plan import as_blocks
from dali_pipelines.stages import Batch
from trainer.distributed import join_world
from trainer.scoring import collect, score_pass

rank, out, ports = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]

class Source:
    rejects = []
    def run(self, blocks):
        for indices in blocks:
            valid = torch.from_numpy((indices >= 0) & (indices % 7 != 3))
            images = torch.from_numpy(scores[indices]).view(-1, 1, 1, 1)
            yield Batch(images, valid, indices, ())

model = nn.Flatten()  # (N, 1, 1, 1) -> (N, 1)
for size, port in zip((2, 3), ports):
    if rank >= size:
        continue
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
        WORLD_SIZE=str(size), RANK=str(rank), LOCAL_RANK=str(rank),
    )
    with join_world("cpu") as world:
        for count in (23, 16, 3):
            scores = np.load(out / f"scores-{count}.npy")
            blocks = as_blocks(np.random.default_rng(count).permutation(count), 5)
            logits = collect(score_pass(model, Source(), blocks, world), count, world)
            np.save(out / f"{count}-{size}-{rank}.npy", logits)
"""


def _labels(count: int) -> np.ndarray:
    return (np.arange(count) % 3 == 0).astype(np.int64)


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the true scores, and with what each rank collected."""
    folder = tmp_path_factory.mktemp("ranks")
    for count in SETS:
        noise = np.random.default_rng(count + 50).normal(0, 1, count)
        scores = (_labels(count) + noise).round(1).astype(np.float32)
        np.save(folder / f"scores-{count}.npy", scores)
    script = folder / "rank.py"
    script.write_text(RANK)
    ports = [_free_port(), _free_port()]
    others = [
        subprocess.Popen(
            [sys.executable, str(script), str(rank), str(folder), *ports], cwd=ROOT,
            env={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        for rank in (1, 2)
    ]  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trainer.distributed.TIMEOUT", timedelta(minutes=5))
        patch.setattr(sys, "argv", [str(script), "0", str(folder), *ports])
        for name in ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE", "LOCAL_RANK"):
            patch.setenv(name, "")  # put back as they were afterwards
        runpy.run_path(str(script))
    assert [rank.wait(timeout=300) for rank in others] == [0, 0]
    return folder


@pytest.mark.parametrize("count", SETS)
@pytest.mark.parametrize("size", [2, 3])
def test_auroc_of_gathered_scores_is_that_of_scikit_learn(
    gathered: Path, size: int, count: int
) -> None:
    scores, labels = np.load(gathered / f"scores-{count}.npy"), _labels(count)
    given = np.arange(count) % 7 != 3
    for rank in range(size):
        logits = np.load(gathered / f"{count}-{size}-{rank}.npy")
        np.testing.assert_array_equal(logits, np.where(given, scores, np.nan))
        kept = ~np.isnan(logits)
        probs = torch.from_numpy(logits[kept]).sigmoid().numpy()
        found = score_figures(labels[kept], probs)
        assert found["n"] == given.sum()
        wanted = roc_auc_score(labels[given], scores[given])
        assert found["auroc"] == pytest.approx(wanted, abs=1e-14)  # in another order of sums
