"""The ranks of a run, as torchrun starts them, or the single rank of a plain process.

One rank needs no process group. Counts and objects travel over gloo on any device; gradients are
averaged by DistributedDataParallel, over NCCL on a GPU.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn

from dali_pipelines.cores import rank_count
from dali_pipelines.errors import ConfigError, DeviceError, LostRankError

Device = Literal["auto", "cpu", "gpu"]
# ranks drift apart while scoring, which has no step in common: one with slow files or many images
# must not lose the job, so the others wait longer than NCCL's 10 minutes
TIMEOUT: Final = timedelta(minutes=30)
_GLOO: Final = "third_party/gloo"  # the place in torch's sources that its errors begin with
_VARIABLES: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK")


@dataclass(frozen=True, slots=True)
class World:
    """This rank among `size`; rank 0 is the one that prints and writes."""

    rank: int
    size: int
    local_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this rank prints and writes."""
        return self.rank == 0

    def sum(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The element-wise sum over ranks of an array that has one shape on all."""
        if self.size == 1:
            return values
        total = torch.from_numpy(values.copy())
        distributed.all_reduce(total)
        summed: NDArray[np.float64] = total.numpy()
        return summed

    def gather(self, item: Any) -> list[Any]:
        """That object of each rank, in rank order, on every rank."""
        if self.size == 1:
            return [item]
        items: list[Any] = [None] * self.size
        distributed.all_gather_object(items, item)
        return items

    def share_buffers(self, model: nn.Module) -> None:
        """Give every rank the buffers of rank 0: after a step the averages of batch norm differ."""
        if self.size > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, src=0)

    def parallel(self, model: nn.Module) -> nn.Module:
        """The model, wrapped so that gradients are averaged where there is more than one rank."""
        if self.size == 1:
            return model
        ids = [self.device.index] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(model, device_ids=ids)


@contextmanager
def join_world(device: Device = "auto", patience: timedelta | None = None) -> Iterator[World]:
    """This process's place in the run; joins and leaves the process group where there is one.

    Within another such stretch it is that one's group, which stays. Ranks wait `patience` for each
    other, `TIMEOUT` where nothing is said.
    Raises ConfigError if torchrun's variables are incomplete, DeviceError if there is no GPU,
    LostRankError where another rank ended while this one waited for it.
    """
    rank, size, local_rank = _read_ranks()
    local_size = rank_count(default=size)
    place = find_device(device, local_rank)
    world = World(rank, size, local_size, place)
    if size == 1 or distributed.is_initialized():
        yield world
        return
    on_gpu = place.type == "cuda"
    distributed.init_process_group(
        "cuda:nccl,cpu:gloo" if on_gpu else "gloo",
        timeout=patience or TIMEOUT,
        device_id=place if on_gpu else None,
    )
    try:
        yield world
    except RuntimeError as error:
        if isinstance(error, distributed.DistError) or _GLOO in str(error):
            raise LostRankError(
                "another rank ended while this one waited for it; what that one said tells why"
            ) from error
        raise
    # Not after an error, which ends the process: NCCL would wait for ranks that wait for this one,
    # and gloo would have them fail, and be heard, before this one has said why.
    distributed.destroy_process_group()


def find_device(device: Device, local_rank: int = 0) -> torch.device:
    """The torch device of this rank; sets the thread's current GPU. DeviceError without one."""
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        raise DeviceError("no GPU was found by torch; use --device cpu")
    if local_rank >= count:
        raise DeviceError(
            f"rank {local_rank} of this machine needs a GPU of its own and torch finds {count}; "
            "start fewer ranks or use --device cpu"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _read_ranks() -> tuple[int, int, int]:
    """RANK, WORLD_SIZE and LOCAL_RANK; a process without any of them is alone."""
    found = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    if not found:
        return 0, 1, 0
    try:
        rank, size, local_rank = (int(found[name]) for name in _VARIABLES)
    except (KeyError, ValueError):
        raise ConfigError(
            f"the environment has {found}, but a rank needs whole numbers in all of "
            f"{', '.join(_VARIABLES)}; start with torchrun, or unset them"
        ) from None
    if not 0 <= rank < size:
        raise ConfigError(f"RANK must lie in 0 ... WORLD_SIZE - 1, found {rank} of {size}")
    return rank, size, local_rank
