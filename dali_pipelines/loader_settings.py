"""How much of the loader runs at once: nothing here changes a pixel."""

import os
from dataclasses import dataclass
from typing import Literal

from dali_pipelines.cores import core_count


@dataclass(frozen=True, slots=True)
class LoaderSettings:
    """How much runs at once. `readers` and `threads` are threads, the others batches or images.

    `threads` 0: this rank's share of the cores. `prefetch`: finished batches that wait for the
    caller. `batch`: images decoded together, in whole blocks; 0: a block at a time. `ring`: tensors
    on the GPU that batches take turns in; 0: as few as never wait. `isolation`: whether decoders
    that take one image at a time run in threads, or in processes that may be killed.
    """

    readers: int = 2
    threads: int = 0
    prefetch: int = 2
    batch: int = 0
    ring: int = 0
    isolation: Literal["thread", "process"] = "thread"

    def __post_init__(self) -> None:
        if self.readers < 1 or self.prefetch < 1 or min(self.threads, self.batch, self.ring) < 0:
            raise ValueError(
                "readers and prefetch must be at least 1, threads, batch and ring at least 0"
            )

    def resolved_threads(self) -> int:
        """`threads`, or the cores this process may use divided by the ranks on this machine."""
        if self.threads:
            return self.threads
        ranks = os.environ.get("LOCAL_WORLD_SIZE", "")
        return max(1, core_count() // max(1, int(ranks) if ranks.isdecimal() else 1))
