"""The launcher without its ranks: a stand-in for torch's agent leaves what they would have left."""

import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig

import trainer.launch
from trainer.launch import launch
from trainer.ranks import EXIT_CODES

Agent = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Agent:
    """agent({"0-1": 2}, error) stands in for the agent; its starts are listed in what it returns.

    The codes are left in that order, by start and rank.
    """

    def stand_in(
        codes: dict[str, int] | None = None, error: BaseException | None = None
    ) -> list[dict[str, Any]]:
        starts: list[dict[str, Any]] = []

        def elastic_launch(config: LaunchConfig, program: str) -> Callable[..., None]:
            def run(*words: str) -> None:
                starts.append({"config": config, "words": (program, *words), **os.environ})
                for place, (name, code) in enumerate((codes or {}).items()):
                    left = Path(os.environ[EXIT_CODES]) / name
                    left.write_text(str(code))
                    os.utime(left, ns=(place, place))
                logging.getLogger("torch").error("the agent is not heard")
                if error is not None:
                    raise error

            return run

        monkeypatch.setattr(trainer.launch, "elastic_launch", elastic_launch)
        return starts

    return stand_in


FAILED = ChildFailedError("a rank", {0: ProcessFailure(0, 1, 1, "no error file")})


def test_each_rank_runs_the_command_line(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(trainer.launch, "core_count", lambda: 7)
    starts = agent()
    assert launch(["-q", "train", "m.parquet"], ranks=3, max_restarts=4) == 0
    (start,) = starts
    assert start["words"] == (sys.executable, "-m", "cli", "-q", "train", "m.parquet")
    config = start["config"]
    assert (config.nproc_per_node, config.max_restarts) == (3, 4)
    assert {"SIGTERM", "SIGUSR1"} <= set(config.signals_to_handle.split(","))
    assert start["OMP_NUM_THREADS"] == "2"
    assert start["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] == "1"


def test_the_environment_and_the_log_are_as_before(
    agent: Agent, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    starts, before = agent(), dict(os.environ)
    launch(["train"], ranks=2)
    assert dict(os.environ) == before
    assert starts[0]["OMP_NUM_THREADS"] == "5"  # what the user says
    assert not Path(starts[0][EXIT_CODES]).exists()
    assert not caplog.records
    logging.getLogger("torch").error("heard again")
    assert caplog.records


@pytest.mark.parametrize(
    ("codes", "whole"),
    [
        ({"0-0": 0, "0-1": 3}, 3),
        ({"0-1": 5, "0-0": 1}, 5),  # the first that failed; the other lost its peer
        ({"0-0": 1, "0-1": 5}, 5),  # and was done before the first had left its code
        ({"0-1": 3, "0-0": 5}, 3),
        ({"0-0": 2, "1-0": 0, "1-1": 4}, 4),  # of the last start
        ({"9-0": 2, "10-0": 5}, 5),
        ({}, 1),  # killed before it could say anything
        ({"0-0": 0}, 1),
    ],
)
def test_the_first_code_of_the_last_start_is_that_of_the_whole(
    agent: Agent, codes: dict[str, int], whole: int
) -> None:
    agent(codes, FAILED)
    assert launch(["train"], ranks=2, max_restarts=1) == whole


@pytest.mark.parametrize(
    ("codes", "whole"),
    [
        ({"0-0": 75, "0-1": 75}, 75),
        ({}, 128 + signal.SIGTERM),
        ({"0-0": 0, "0-1": 0}, 0),  # the run was over before they were asked
        ({"0-0": 0}, 143),
        ({"0-0": 1}, 143),  # it lost a rank that was not ready to be asked
    ],
)
def test_a_signal_ends_with_what_the_ranks_made_of_it(
    agent: Agent, codes: dict[str, int], whole: int
) -> None:
    agent(codes, SignalException("asked to end", signal.SIGTERM))
    assert launch(["train"], ranks=2) == whole


def test_ranks_that_end_well_after_a_restart_end_well(agent: Agent) -> None:
    agent({"0-0": 1, "0-1": 1, "1-0": 0, "1-1": 0})
    assert launch(["train"], ranks=2, max_restarts=1) == 0
