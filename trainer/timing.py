"""How fast a run goes, and what it waits for: the figures of timing.jsonl.

They differ from run to run, so they are kept apart from metrics.jsonl, which does not.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import torch

T = TypeVar("T")

_MIB: Final = 1 << 20
_MAXRSS_BYTES: Final = 1 if sys.platform == "darwin" else 1024  # getrusage(2): KiB on Linux


class Timing:
    """Figures of the stretch since the last `row`, of this rank's process and device.

    `clock` gives seconds.
    """

    def __init__(
        self, device: torch.device, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._device = device
        self._clock = clock
        self._begin()

    def waits(self, batches: Iterable[T]) -> Iterator[T]:
        """The same batches; the time that each is waited for counts as waiting for data."""
        source = iter(batches)
        while True:
            before = self._clock()
            try:
                batch = next(source)
            except StopIteration:
                return
            finally:
                self._waited += self._clock() - before
            yield batch

    def count(self, images: int) -> None:
        """Count images that are done, on all ranks."""
        self._images += images

    def row(self) -> dict[str, Any]:
        """The figures of the stretch that ends now, and begin the next.

        `seconds` and `rate_img_s`; `wait_share` of the time in which no batch was there (a GPU that
        still works on the batch before is not idle yet, so this is a bound on its idling);
        `host_mib`, the peak of the process so far; `gpu_mib`, the peak of torch's tensors in the
        stretch, of all that torch holds `gpu_held_mib`, both None on a CPU.
        """
        seconds = self._clock() - self._start
        row = {
            "seconds": round(seconds, 3),
            "images": self._images,
            "rate_img_s": round(self._images / seconds, 2) if seconds > 0 else None,
            "wait_share": round(self._waited / seconds, 4) if seconds > 0 else None,
            "host_mib": round(_peak_host_mib(), 1),
            **_gpu_memory(self._device),
        }
        self._begin()
        return row

    def _begin(self) -> None:
        self._start, self._waited, self._images = self._clock(), 0.0, 0
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)


def _peak_host_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _MAXRSS_BYTES / _MIB


def _gpu_memory(device: torch.device) -> dict[str, float | None]:
    if device.type != "cuda":
        return {"gpu_mib": None, "gpu_held_mib": None}
    return {
        "gpu_mib": round(torch.cuda.max_memory_allocated(device) / _MIB, 1),
        "gpu_held_mib": round(torch.cuda.max_memory_reserved(device) / _MIB, 1),
    }
