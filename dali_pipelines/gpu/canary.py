"""The canary: the first frames of each class of codestreams are decoded on the GPU and on the CPU.

The CPU's picture is the truth. Where the two are not the same to the bit the whole class moves to
the CPU for the rest of the run, and says so.
"""

import logging
from collections import Counter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.decoder import Decoded
from dali_pipelines.gpu.device import Download
from dali_pipelines.records import ImageRecord
from dali_pipelines.routing import StreamClass, class_of
from dali_pipelines.stages import Pixels
from dali_pipelines.stored_values import stored_patterns

# The first frame of a class meets buffers that are fresh, the second one buffers that hold the
# frame before. A decoder that leaves its output as it found it cannot pass both.
FRAMES: Final = 2

log = logging.getLogger("mammo.decode")


class Canary:
    """Which classes of codestreams the GPU decodes as the CPU does; `counts` hears of each ban."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._claimed: Counter[StreamClass] = Counter()
        self._agreed: Counter[StreamClass] = Counter()
        self._banned: set[StreamClass] = set()

    def is_banned(self, record: ImageRecord) -> bool:
        """Whether this record's class is decoded on the CPU from now on."""
        return class_of(record) in self._banned

    def claims(self, record: ImageRecord) -> bool:
        """Whether this frame is one of the first of its class; asked once for each."""
        self._claimed[class_of(record)] += 1
        return self._claimed[class_of(record)] <= FRAMES

    def wants(self, record: ImageRecord) -> bool:
        """Whether a frame of this record's class has to be compared before it is given out."""
        return self._agreed[class_of(record)] < FRAMES

    def compare(self, record: ImageRecord, on_gpu: Pixels, on_cpu: Decoded) -> Decoded:
        """The picture to go on with, or the CPU's verdict; waits for the GPU.

        A codestream that the CPU rejects says nothing of its class.
        """
        if not isinstance(on_cpu, Pixels):
            return on_cpu
        self._counts["canary frames"] += 1
        if _agree(record, on_gpu, on_cpu):
            self._agreed[class_of(record)] += 1
            return on_gpu
        self.ban(record, "the GPU's picture is not the CPU's")
        return on_cpu

    def ban(self, record: ImageRecord, reason: str) -> None:
        """Have this record's class decoded on the CPU for the rest of the run."""
        kind = class_of(record)
        if kind in self._banned:
            return
        self._banned.add(kind)
        self._counts[f"moved to the cpu: {kind}"] += 1
        log.warning("%s: %s; the CPU decodes this class for the rest of the run", kind, reason)


def _agree(record: ImageRecord, on_gpu: Pixels, on_cpu: Pixels) -> bool:
    gpu_values, cpu_values = (
        stored_patterns(_on_host(pixels), pixels.shift, record) for pixels in (on_gpu, on_cpu)
    )
    return np.array_equal(gpu_values, cpu_values)


def _on_host(pixels: Pixels) -> NDArray[np.uint16]:
    if isinstance(pixels.values, np.ndarray):
        return pixels.values
    return Download(pixels.values).get()
