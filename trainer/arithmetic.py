"""How torch computes on this rank: its threads, its algorithms, its rounding."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import torch
import torch.utils.deterministic

from dali_pipelines.cores import core_count
from dali_pipelines.errors import DeviceError
from trainer.distributed import World
from trainer.optim.settings import SpeedSettings

# cuBLAS gives the same bits again only with a fixed workspace: 8 buffers of 4096 KiB for a stream.
# It reads this when a process first uses it. Source: CUDA toolkit, cuBLAS, section 2.1.4.
_WORKSPACE: Final = ("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
_UNSTEADY: Final = re.compile(r"(\w+) does not have a deterministic implementation")


@contextmanager
def fixed_arithmetic(
    world: World, threads: int, speed: SpeedSettings | None = None
) -> Iterator[None]:
    """A stretch in which torch on a CPU gives the same bits again: fixed threads and algorithms.

    `threads` 0 means this rank's share of the cores, whatever OMP_NUM_THREADS torchrun has set. A
    GPU gives the same bits too where `speed` is deterministic; if not, cuDNN may try which of its
    algorithms is the fastest, which is another one on another day. Raises DeviceError where the
    GPU's memory is too small, or the network has an operation that gives other bits each time.
    """
    speed = speed or SpeedSettings()
    fixed = speed.deterministic or world.device.type == "cpu"
    if speed.deterministic:
        os.environ.setdefault(*_WORKSPACE)
    before = _Switches.read()
    count = threads or max(1, core_count() // world.local_size)
    _Switches(
        threads=count, deterministic=fixed, search=not fixed, tf32=(speed.tf32, speed.tf32)
    ).write()
    try:
        with _explained():
            yield
    finally:
        before.write()


@contextmanager
def _explained() -> Iterator[None]:
    """A stretch in which what torch cannot do is said in one sentence."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceError(
            "the GPU ran out of memory for this network; use a smaller batch"
        ) from error
    except RuntimeError as error:
        unsteady = _UNSTEADY.match(str(error))
        if unsteady is None:
            raise
        raise DeviceError(
            f"the network needs {unsteady[1]}, which gives other bits each time on this device; "
            "use --device cpu or another network, or train without speed.deterministic"
        ) from error


def seed_draws(seed: int, device: torch.device) -> None:
    """As `torch.manual_seed`, for draws on the CPU and on this device alone.

    Where torch has no GPU, its own asks for those of every kind, and keeps a stack trace for each:
    0.1 ms, which at every step is the most that the trainer adds to one.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(seed)


@dataclass(frozen=True, slots=True)
class _Switches:
    """The state of torch's global switches.

    `search` lets cuDNN time its algorithms, `fill` has new memory filled with NaN, which costs a
    pass over each activation and shows reads of memory that nobody wrote, `tf32` is that of cuBLAS
    and of cuDNN.
    """

    threads: int
    deterministic: bool
    search: bool
    tf32: tuple[bool, bool]
    fill: bool = False

    @classmethod
    def read(cls) -> "_Switches":
        return cls(
            torch.get_num_threads(),
            torch.are_deterministic_algorithms_enabled(),
            torch.backends.cudnn.benchmark,
            (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32),
            torch.utils.deterministic.fill_uninitialized_memory,  # type: ignore[attr-defined]
        )

    def write(self) -> None:
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(self.deterministic)
        torch.backends.cudnn.benchmark = self.search
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = self.tf32
        torch.utils.deterministic.fill_uninitialized_memory = self.fill  # type: ignore[attr-defined]
