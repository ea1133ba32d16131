"""What two ranks learn, over gloo, when parts are frozen for an epoch and then learn."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
# Two steps with a frozen part, two without it, the ranks on halves of each batch; then the wrap is
# made anew, as DistributedDataParallel looks at what learns only when it is made.
RANK = """
import sys
import torch
from torch import nn
from trainer.distributed import join_world
from trainer.optim.frozen import apply_frozen, set_training
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings

torch.set_num_threads(1)
torch.manual_seed(0)
with join_world("cpu") as world:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 1))
    settings = OptimSettings(name="momentum", lr=0.1, frozen=("0", "2"), frozen_epochs=2)
    optimizer = build_optimizer(model, settings)
    apply_frozen(model, settings, 0)
    parallel, weights = world.parallel(model), []
    for epoch in range(4):
        if apply_frozen(model, settings, epoch):
            parallel = world.parallel(model)
        set_training(parallel, True)
        batch = torch.randn(8, 6, generator=torch.Generator().manual_seed(epoch))
        mine = batch[world.rank::world.size]
        optimizer.zero_grad(set_to_none=True)
        parallel(mine).square().mean().backward()
        optimizer.step()
        weights.append([p.detach().clone() for p in model.parameters()])
    torch.save(weights, f"{sys.argv[1]}/{world.size}-{world.rank}.pt")
"""


def _start(script: Path, rank: int, port: int) -> "subprocess.Popen[bytes]":
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "MASTER_PORT": port}
    return subprocess.Popen(
        [sys.executable, str(script), str(script.parent)],
        env={
            **os.environ,
            **{name: str(value) for name, value in place.items()},
            "MASTER_ADDR": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
        },
    )


@pytest.mark.slow
def test_parts_learn_on_every_rank_from_their_epoch_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "rank.py"
    script.write_text(RANK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    ranks = [_start(script, rank, port) for rank in range(2)]
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    threads = torch.get_num_threads()
    runpy.run_path(str(script))
    torch.set_num_threads(threads)
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    alone, first, second = (torch.load(tmp_path / f"{name}.pt") for name in ("1-0", "2-0", "2-1"))
    for epoch in range(4):
        for whole, a, b in zip(alone[epoch], first[epoch], second[epoch], strict=True):
            assert torch.equal(a, b)
            torch.testing.assert_close(a, whole)
    assert torch.equal(alone[0][0], alone[1][0])  # frozen
    assert not torch.equal(alone[1][0], alone[2][0])  # learns
