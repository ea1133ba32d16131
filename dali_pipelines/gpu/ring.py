"""Tensors that batches take turns in, and the events that keep producer and consumer apart.

Neither side waits on the host: the producer's stream waits until the consumer's has let go of a
slot, the consumer's until the producer's has filled it.
"""

from collections import deque
from typing import Final

import torch

from dali_pipelines.recipe import Recipe


class Mark:
    """A point in the work of a stream that another stream can wait for; nothing on the CPU.

    Both are the calling thread's current streams of `device`, whatever its current device is.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._event: torch.cuda.Event | None = None
        if device.type == "cuda":
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]

    def set(self) -> None:
        """Put the mark after all that was queued on the current stream so far."""
        if self._event is not None:
            self._event.record(torch.cuda.current_stream(self._device))

    def wait(self) -> None:
        """Let the current stream go on only past the mark; the host goes on at once."""
        if self._event is not None:
            self._event.wait(torch.cuda.current_stream(self._device))


class Slot:
    """Room for one batch: `images` (N, C, H, W), and the marks that its two sides set."""

    def __init__(self, batch: int, recipe: Recipe, device: torch.device) -> None:
        shape = (batch, recipe.channels, *recipe.size)
        dtype: torch.dtype = getattr(torch, recipe.resize.dtype)
        self.images: Final = torch.empty(shape, dtype=dtype, device=device)
        self.filled: Final = Mark(device)
        self.free: Final = Mark(device)


class Ring:
    """Slots for batches of one size; those in use are the business of who took them."""

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self._recipe = recipe
        self._device = device
        self._slots: list[Slot] = []
        self._idle: deque[Slot] = deque()

    def reset(self, depth: int, batch: int) -> None:
        """Make `depth` slots for `batch` images idle, also those that an ended run left in use."""
        fits = len(self._slots) == depth and len(self._slots[0].images) == batch
        if not fits:
            for slot in self._slots:  # their memory goes back to the current stream
                slot.free.wait()
            self._slots = [Slot(batch, self._recipe, self._device) for _ in range(depth)]
        self._idle = deque(self._slots)

    def take(self) -> Slot:
        """An idle slot; the current stream first waits until its last reader has let go of it."""
        slot = self._idle.popleft()
        slot.free.wait()
        return slot

    def give_back(self, slot: Slot) -> None:
        """Make the slot idle; its next writer waits for the current stream's work up to here."""
        slot.free.set()
        self._idle.append(slot)
