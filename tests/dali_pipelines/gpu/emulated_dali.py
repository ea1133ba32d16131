"""DALI's mixed decoder on the CPU: right values, spread over 16 bits, and faults on demand."""

from collections import deque

import imagecodecs
import numpy as np

from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.graph import BatchError
from dali_pipelines.verdicts import RejectError
from tests.dali_pipelines.gpu.real_device import on_device


def spread(values, precision):
    """round(v * 65535 / (2**p - 1)) (H, W) uint16, half up, by integers."""
    top = (1 << precision) - 1
    return ((values.astype(np.int64) * 2 * 65535 + top) // (2 * top)).astype(np.uint16)


class EmulatedDali:
    """What `graph.DaliDecoder` is on "mixed", with tensors on the device in place.

    `fault(info, values)` sees every image and gives what the GPU is to make of its values; it may
    raise BatchError, which costs the batch. `fed` lists the codestreams of each call of submit.
    """

    def __init__(self, fault=None):
        self.fault = fault
        self.fed = []
        self.drained = 0
        self._pending = deque()

    def submit(self, streams):
        self.fed.append([bytes(stream) for stream in streams])
        self._pending.append(self.fed[-1])

    def receive(self):
        return [self._decode(stream) for stream in self._pending.popleft()]

    def drain(self):
        self.drained += len(self._pending)
        self._pending.clear()

    @property
    def submitted(self):
        """How many codestreams came in each call."""
        return [len(streams) for streams in self.fed]

    def _decode(self, stream):
        try:
            info = read_stream_info(stream)
            jpeg = info.kind == "jpeg_lossless"
            values = (imagecodecs.jpeg8_decode if jpeg else imagecodecs.jpeg2k_decode)(stream)
        except (RuntimeError, RejectError) as error:
            raise BatchError("it cannot be decoded") from error
        if self.fault is not None:
            values = self.fault(info, values)
        return on_device(spread(values, info.precision))
