import os
from typing import Any

import pytest
import torch
import torch.utils.deterministic

from dali_pipelines.errors import DeviceError
from trainer.arithmetic import fixed_arithmetic, seed_draws
from trainer.distributed import World
from trainer.optim.settings import SpeedSettings

CPU = World(0, 1, 1, torch.device("cpu"))
GPU = World(0, 1, 1, torch.device("cuda"))


def _switches() -> dict[str, Any]:
    return {
        "threads": torch.get_num_threads(),
        "fixed": torch.are_deterministic_algorithms_enabled(),
        "search": torch.backends.cudnn.benchmark,
        "tf32": (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
        "fill": torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
    }


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")


@pytest.mark.parametrize(
    ("world", "speed", "wanted"),
    [
        (CPU, SpeedSettings(), {"fixed": True, "search": False}),
        (CPU, None, {"fixed": True, "search": False}),
        (GPU, SpeedSettings(), {"fixed": False, "search": True, "tf32": (False, False)}),
        (GPU, SpeedSettings(tf32=True), {"fixed": False, "search": True, "tf32": (True, True)}),
        (GPU, SpeedSettings(deterministic=True), {"fixed": True, "search": False}),
    ],
)
def test_arithmetic_is_as_asked_and_given_back(
    world: World, speed: SpeedSettings | None, wanted: dict[str, Any]
) -> None:
    before = _switches()
    with fixed_arithmetic(world, 1, speed):
        found = _switches()
    assert found["threads"] == 1
    assert found | wanted == found
    assert not found["fill"]
    assert _switches() == before


def test_no_number_of_threads_means_the_share_of_the_cores() -> None:
    with fixed_arithmetic(CPU, 0):
        assert torch.get_num_threads() == len(os.sched_getaffinity(0))


def test_arithmetic_is_given_back_after_an_error() -> None:
    before = _switches()
    with pytest.raises(ValueError, match="on purpose"), fixed_arithmetic(GPU, 1):
        raise ValueError("on purpose")
    assert _switches() == before


def test_a_deterministic_run_asks_for_a_fixed_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    with fixed_arithmetic(GPU, 1, SpeedSettings(deterministic=True)):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")  # also fixed, and the user's choice
    with fixed_arithmetic(GPU, 1, SpeedSettings(deterministic=True)):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_draws_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    seed_draws(5, torch.device("cpu"))
    assert torch.equal(torch.rand(3), wanted)
    gpus = [torch.Generator(), torch.Generator()]
    monkeypatch.setattr(torch.cuda, "default_generators", gpus)
    seed_draws(5, torch.device("cuda", 1))
    assert torch.equal(torch.rand(3, generator=gpus[1]), wanted)
    assert gpus[0].initial_seed() != 5


def test_an_operation_of_no_fixed_order_is_named_in_one_sentence() -> None:
    with (
        pytest.raises(DeviceError, match="needs put_, which gives other bits"),
        fixed_arithmetic(CPU, 1),
    ):
        torch.zeros(2).put_(torch.tensor([0]), torch.ones(1))


def test_a_full_gpu_is_said_in_one_sentence_and_other_errors_pass() -> None:
    with pytest.raises(DeviceError, match="smaller batch"), fixed_arithmetic(CPU, 1):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    with pytest.raises(RuntimeError, match="size mismatch"), fixed_arithmetic(CPU, 1):
        raise RuntimeError("size mismatch")
