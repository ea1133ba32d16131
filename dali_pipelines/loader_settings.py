"""How much of the loader runs at once: nothing here changes a pixel."""

from dataclasses import dataclass
from typing import Final, Literal

from dali_pipelines.cores import core_count, rank_count

MOST_TIMEOUT_S: Final = 86_400.0  # a day; poll(2) counts milliseconds in 32 bits


@dataclass(frozen=True, slots=True)
class LoaderSettings:
    """How much runs at once. `readers` and `threads` are threads, the others batches or images.

    `threads` 0: this rank's share of the cores. `prefetch`: finished batches that wait for the
    caller. `batch`: images decoded together, in whole blocks; 0: a block at a time. `isolation`:
    whether decoders that take one image at a time run in threads, or in processes that may be
    killed, where a codestream that takes longer than `timeout_s` is given up; close ends those that
    are busy. `verify`: compare each codestream's SHA-256 with the manifest's, where it has one: the
    only way to see damage that leaves a valid stream.
    """

    readers: int = 2
    threads: int = 0
    prefetch: int = 2
    batch: int = 0
    isolation: Literal["thread", "process"] = "process"
    verify: bool = True
    timeout_s: float = 60.0  # the largest mammogram takes about 4 s in the slowest decoder

    def __post_init__(self) -> None:
        if self.readers < 1 or self.prefetch < 1 or min(self.threads, self.batch) < 0:
            raise ValueError(
                "wanted readers and prefetch of at least 1, threads and batch of 0 or more"
            )
        if not 0 < self.timeout_s <= MOST_TIMEOUT_S:
            raise ValueError(f"wanted timeout_s above 0 and up to {MOST_TIMEOUT_S:g} s")

    def resolved_threads(self) -> int:
        """`threads`, or the cores this process may use divided by the ranks on this machine."""
        if self.threads:
            return self.threads
        return max(1, core_count() // rank_count())
