"""Decoders in child processes for several threads at once."""

from queue import LifoQueue

from dali_pipelines.isolation.isolated_decoder import CPU_DECODER, TIMEOUT_S, IsolatedDecoder
from dali_pipelines.isolation.memory_limit import BYTES_PER_PIXEL
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels


class DecodePool:
    """Up to `size` isolated decoders of one function, lent to whichever thread asks.

    Each starts when all those before it are busy. A child that dies, or is at one codestream for
    longer than `timeout_s`, costs the sample that it was at (see `IsolatedDecoder.decode`), and the
    next sample finds a new child in its place.
    """

    def __init__(
        self,
        size: int,
        function: str = CPU_DECODER,
        timeout_s: float = TIMEOUT_S,
        bytes_per_pixel: int = BYTES_PER_PIXEL,
    ) -> None:
        form = (function, timeout_s, bytes_per_pixel)
        self._decoders = [IsolatedDecoder(*form) for _ in range(size)]
        self._idle: LifoQueue[IsolatedDecoder] = LifoQueue()
        for decoder in self._decoders:
            self._idle.put(decoder)

    def decode(self, encoded: Encoded, recipe: Recipe) -> Pixels:
        """What `IsolatedDecoder.decode` gives or raises, once a child is free."""
        child = self._idle.get()
        try:
            return child.decode(encoded, recipe)
        finally:
            self._idle.put(child)

    def stop(self) -> None:
        """End all children, busy or not; what is or will be asked of them raises DeviceError."""
        for decoder in self._decoders:
            decoder.stop()

    def close(self) -> None:
        """As `stop`; no child is left when it returns."""
        self.stop()
        children = [self._idle.get() for _ in self._decoders]
        for child in children:
            child.close()
            self._idle.put(child)
