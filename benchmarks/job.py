"""What is measured, and on what: each contender gets the same images and as many threads.

torch is imported where it is needed only: the memory of a peer that does without is its own.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from dali_pipelines.plan import Blocks, sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Job:
    """One pass goes over `records` once, `batch` at a time, with `threads` threads or processes.

    `model` is the timm architecture of the training steps.
    """

    records: tuple[ImageRecord, ...]
    recipe: Recipe
    batch: int
    threads: int
    device: Literal["cpu", "gpu"] = "cpu"
    model: str = ""

    @property
    def megapixels(self) -> float:
        """The stored pixels of one pass, in millions."""
        return sum(r.stream.height * r.stream.width for r in self.records) / 1e6

    @property
    def blocks(self) -> Blocks:
        """The positions of the records, a row a batch."""
        return sequential_blocks(len(self.records), self.batch)

    @property
    def batches(self) -> list[tuple[ImageRecord, ...]]:
        """The records of each batch."""
        starts = range(0, len(self.records), self.batch)
        return [self.records[k : k + self.batch] for k in starts]

    @property
    def torch_device(self) -> "torch.device":
        """Where the tensors are made."""
        import torch  # noqa: PLC0415 - see above

        return torch.device("cuda" if self.device == "gpu" else "cpu")

    def finish(self) -> None:
        """Wait until the device has done all that was asked of it."""
        if self.device == "gpu":
            import torch  # noqa: PLC0415 - see above

            torch.cuda.synchronize()


OpenPass = Callable[[Job], AbstractContextManager[Callable[[], object]]]


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do a job. `open_pass` gets ready and gives a function that goes over it once.

    `libraries` are imported before anything is measured. An `optional` contender may be absent or
    fail: that is its result then, and the others go on.
    """

    name: str
    open_pass: OpenPass
    job: Job
    libraries: tuple[str, ...] = field(default=())
    optional: bool = False

    @property
    def missing(self) -> list[str]:
        """Those of `libraries` that are not installed."""
        return [name for name in self.libraries if find_spec(name.partition(".")[0]) is None]
