"""One rank in this process, and two that meet over gloo in processes of their own."""

import os
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dali_pipelines.errors import ConfigError, DeviceError
from trainer.distributed import find_device, join_world

ROOT = Path(__file__).parents[2]

# A network without batch norm, 8 images of which a source cannot give 3, one step. Each rank
# saves the gradients and what it gathered.
STEP = """
import sys, threading
import numpy as np, torch
from torch import nn
from dali_pipelines.stages import Batch
from trainer.arithmetic import fixed_arithmetic
from trainer.distributed import join_world
from trainer.epoch import Lesson, Pass, train_pass
from trainer.learner import Learner
from trainer.losses.loss import build_loss
from trainer.losses.settings import LossSettings
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings
from trainer.optim.speed import build_scaler
from trainer.sampling_settings import DataSettings
from trainer.scoring import collect, score_pass
from trainer.settings import TrainSettings
from trainer.source import gather_rejects
from trainer.units import Units
from dali_pipelines.verdicts import Reason, Reject

class Source:
    def __init__(self):
        self.rejects = []
    def run(self, blocks):
        for indices in blocks:
            images = torch.zeros(len(indices), 1, 4, 4)
            valid = torch.zeros(len(indices), dtype=torch.bool)
            for slot, index in enumerate(indices.tolist()):
                if index in (1, 2, 3):
                    self.rejects.append(Reject(f"/{index}", "", "", "read", Reason.IO, "x"))
                elif index >= 0:
                    generator = torch.Generator().manual_seed(index)
                    images[slot] = torch.randn(1, 4, 4, generator=generator)
                    valid[slot] = True
            yield Batch(images, valid, indices, ())

batch, out = int(sys.argv[1]), sys.argv[2]
with join_world("cpu") as world, fixed_arithmetic(world, 1):
    torch.manual_seed(world.rank)  # only rank 0's weights may count
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
    settings = TrainSettings(
        optim=OptimSettings(lr=0.1, clip_norm=0), data=DataSettings(batch=batch)
    )
    stop = threading.Event()
    learner = Learner(
        model=model,
        parallel=world.parallel(model),
        optimizer=build_optimizer(model, settings.optim),
        loss=build_loss(LossSettings(), 1.0),
        settings=settings,
        world=world,
        stop=stop,
        scaler=build_scaler(world.device, "off"),
    )
    learner.optimizer.zero_grad = lambda set_to_none: None  # to be looked at after the step
    if world.rank == world.size - 1:
        stop.set()  # one rank alone is asked to stop
    source = Source()
    blocks = np.arange(8).reshape(-1, batch)
    units = Units(np.arange(8)[:, None], np.arange(8) % 2, np.arange(8))
    lesson = Lesson(0, blocks, units, torch.arange(8.0)[:, None] % 2)
    (step,) = train_pass(learner, source, lesson, Pass(0, 0))
    model.register_buffer("mark", torch.tensor([world.rank + 7]))
    world.share_buffers(model)
    logits = collect(score_pass(model, source, np.arange(9).reshape(-1, 3), world), 10, world)
    torch.save(
        {
            "grads": [p.grad for p in model.parameters()],
            "logits": torch.from_numpy(logits),
            "rejects": [r.path for r in gather_rejects(source, world)],
            "step": [step.blocks, step.units, step.stop],
            "mark": model.mark.item(),
            "loss": world.sum(learner.tally.values()).tolist(),
        },
        f"{out}/{world.size}-{world.rank}.pt",
    )
"""


def _start(script: Path, ranks: int, **more: Any) -> list["subprocess.Popen[bytes]"]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(ranks)}
    return [
        subprocess.Popen(
            [sys.executable, str(script), "4", str(script.parent)],
            env={
                **os.environ,
                **shared,
                "PYTHONPATH": str(ROOT),
                "RANK": str(rank),
                "LOCAL_RANK": str(rank),
            },
            **more,
        )
        for rank in range(ranks)
    ]


@pytest.fixture
def _no_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_no_ranks")
def test_two_ranks_do_what_one_does_with_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "step.py"
    script.write_text(STEP)
    ranks = _start(script, 2)
    monkeypatch.setattr(sys, "argv", [str(script), "8", str(tmp_path)])
    runpy.run_path(str(script))
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    alone, first, second = (
        torch.load(tmp_path / name, weights_only=True) for name in ("1-0.pt", "2-0.pt", "2-1.pt")
    )
    # rank 0 had one valid image of four, rank 1 four: a mean of means would weigh them wrongly
    for whole, a, b in zip(alone["grads"], first["grads"], second["grads"], strict=True):
        torch.testing.assert_close(a, whole)
        assert torch.equal(a, b)
    assert first["mark"] == second["mark"] == alone["mark"] == 7
    assert first["loss"] == pytest.approx(alone["loss"])
    assert first["step"] == second["step"] == [2, 5, True]
    assert alone["step"] == [1, 5, True]
    # every image once, on every rank, in spite of the unequal number of blocks
    assert torch.equal(first["logits"].nan_to_num(9), second["logits"].nan_to_num(9))
    assert torch.isnan(first["logits"]).nonzero().flatten().tolist() == [1, 2, 3, 9]
    assert first["rejects"] == second["rejects"] == ["/1", "/2", "/3"]


@pytest.mark.usefixtures("_no_ranks")
def test_a_plain_process_is_alone_and_needs_no_group() -> None:
    with join_world("cpu") as world:
        assert (world.rank, world.size, world.is_main) == (0, 1, True)
        assert not torch.distributed.is_initialized()
        values = np.array([1.0, 2.0])
        assert world.sum(values) is values
        assert world.gather("x") == ["x"]
        model = nn.Linear(1, 1)
        assert world.parallel(model) is model


@pytest.mark.usefixtures("_no_ranks")
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"RANK": "0"}, "RANK, WORLD_SIZE, LOCAL_RANK"),
        ({"RANK": "a", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}, "whole numbers"),
        ({"RANK": "2", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}, "found 2 of 2"),
    ],
)
def test_a_half_set_environment_is_said(
    variables: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=message), join_world("cpu"):
        pass


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert find_device("auto") == torch.device("cpu")
    assert find_device("cpu") == torch.device("cpu")
    with pytest.raises(DeviceError, match=r"no GPU was found by torch; use --device cpu"):
        find_device("gpu")


# The loss of the last rank alone is no number, and then it alone fails.
ENDS = """
import sys, threading
from types import SimpleNamespace
import torch
from dali_pipelines.errors import ConfigError, LostRankError
from trainer.distributed import join_world
from trainer.settings import TrainSettings
from trainer.step import finish
from trainer.tally import Tally

said = []
try:
    with join_world("cpu") as world:
        is_last = world.rank == world.size - 1
        learner = SimpleNamespace(
            world=world, stop=threading.Event(), settings=TrainSettings(),
            tally=Tally(world.device, float("nan") if is_last else 1.0),
        )
        try:
            finish(learner, 1, 1)
        except ConfigError as error:
            said.append(str(error))
        if is_last:
            raise KeyError("a fault of this rank")
        world.gather(None)
except (LostRankError, KeyError) as error:
    said.append(type(error).__name__)
    said.append(torch.distributed.is_initialized())
print(*said, sep="|")
"""


def test_what_ends_one_rank_ends_all_and_each_says_its_part(tmp_path: Path) -> None:
    script = tmp_path / "ends.py"
    script.write_text(ENDS)
    ranks = _start(script, 2, stdout=subprocess.PIPE)
    first, last = (rank.communicate(timeout=120)[0].decode().strip() for rank in ranks)
    diverged = "the loss became nan: training diverged; lower optim.lr"
    assert first == f"{diverged}|LostRankError|True"
    assert last == f"{diverged}|KeyError|True"  # NCCL could not end the group without the others
