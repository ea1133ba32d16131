"""Decoders in child processes for several threads at once."""

from queue import LifoQueue

from dali_pipelines.isolation import CPU_DECODER, IsolatedDecoder
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Encoded, Pixels


class DecodePool:
    """Up to `size` isolated decoders of one function, lent to whichever thread asks.

    Each starts when all those before it are busy. A child that dies or hangs costs the sample that
    it was at (see `IsolatedDecoder.decode`), and the next sample finds a new child in its place.
    """

    def __init__(self, size: int, function: str = CPU_DECODER) -> None:
        self._size = size
        self._idle: LifoQueue[IsolatedDecoder] = LifoQueue()
        for _ in range(size):
            self._idle.put(IsolatedDecoder(function))

    def decode(self, encoded: Encoded, recipe: Recipe) -> Pixels:
        """What `IsolatedDecoder.decode` gives or raises, once a child is free."""
        child = self._idle.get()
        try:
            return child.decode(encoded, recipe)
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """End all children, each when it is done with what it is at; a later decode starts anew."""
        children = [self._idle.get() for _ in range(self._size)]
        for child in children:
            child.close()
            self._idle.put(child)
