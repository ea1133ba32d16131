"""The program of a decoder process; `isolated_decoder.py` starts it and says what to decode.

It is told by a pipe where a request lies in the memory that both see, leaves the values there and
answers by another pipe.
"""

import importlib
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from dali_pipelines.isolation.lifeline import end_with_the_writer_of
from dali_pipelines.isolation.memory_limit import AddressSpace, LackOfMemory
from dali_pipelines.isolation.messages import Request, read_request, write_answer
from dali_pipelines.isolation.shared_bytes import SharedBytes
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.steps import load_finder, load_steps
from dali_pipelines.verdicts import Reason, RejectError, guarded

PROGRAM: Final = "dali_pipelines.isolation.child"  # for python -m
READY: Final = b"ready"
TURN: Final = struct.Struct("<QQQ")  # bytes of the codestream, of the request after it, of all
# for each pixel, while the next of several frames is decoded: their maximum, and the last one twice
_KEPT_BYTES: Final = 6
# for each pixel, where `reduce: auto` looks for the breast, on half the height and width: there the
# parts of noise take 48 B/px (measured on 3.2 MP), those of a mammogram less than decoding does
_SEARCH_BYTES: Final = 12

_Decode = Callable[[Encoded, Recipe], Pixels]


class _Server:
    """Decodes one request after the other, each within its share of memory."""

    def __init__(self, decode: _Decode, memory: SharedBytes, bytes_per_pixel: int) -> None:
        self._decode = decode
        self._memory = memory
        self._space = AddressSpace(bytes_per_pixel)
        self._lack = LackOfMemory()
        self._finders: set[str] = set()

    def answer(self, length: int, size: int, total: int) -> bytes:
        """The answer to the request of `size` bytes behind the codestream of `length` bytes."""
        shared = self._memory.view(total)
        request = read_request(shared[length : length + size].tobytes())
        self._load_steps(request.recipe)
        pixels = request.record.stream.height * request.record.stream.width
        kept = _KEPT_BYTES * pixels if request.sizes else 0
        searched = _SEARCH_BYTES * pixels if request.recipe.decode.reduce == "auto" else 0
        with self._space.bounded(pixels, length + kept + searched, total):
            result = self._decoded(request)
            if isinstance(result, Pixels):
                values = np.asarray(result.values)
                shared[: values.nbytes].view(np.uint16).reshape(values.shape)[:] = values
        return write_answer(result)

    def _load_steps(self, recipe: Recipe) -> None:
        """Load what `reduce: auto` finds the breast with: libraries are no part of an image."""
        if recipe.decode.reduce == "auto" and recipe.roi.method not in self._finders:
            load_steps("cpu")
            load_finder("cpu", recipe.roi)
            self._space.count_libraries()
            self._finders.add(recipe.roi.method)

    def _decoded(self, request: Request) -> Pixels | RejectError:
        data = self._memory.view(request.length)
        data.setflags(write=False)
        encoded = Encoded(data, request.record, request.sizes)
        self._lack.watch()
        result = guarded(partial(self._decode, encoded, request.recipe))
        if isinstance(result, RejectError) and self._lack.was_met():
            return RejectError(
                Reason.OUT_OF_MEMORY,
                "the decoder asked for more memory than an image of this size needs, or than is "
                "left; use fewer threads if it is to be trusted",
            )
        return result


def _serve(
    function: str, requests: int, answers: int, memory: SharedBytes, bytes_per_pixel: int
) -> None:
    """Answer until the parent hangs up."""
    module, name = function.split(":")
    decode = getattr(importlib.import_module(module), name)
    server = _Server(decode, memory, bytes_per_pixel)
    os.write(answers, READY)
    while turn := os.read(requests, TURN.size):
        os.write(answers, server.answer(*TURN.unpack(turn)))


def _main(
    function: str, requests: int, answers: int, memory: int, alive: int, bytes_per_pixel: int
) -> None:
    for asked_of_the_parent in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(asked_of_the_parent, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold patient data
    end_with_the_writer_of(alive)
    _serve(function, requests, answers, SharedBytes(memory), bytes_per_pixel)
    os._exit(0)  # nothing is left to write, and the interpreter takes 0.1 s to tidy up


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:7]))
