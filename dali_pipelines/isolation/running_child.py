"""A running decoder process as its parent sees it: its pipes, the shared memory and its end."""

import os
import select
import subprocess
import sys
from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.child import PROGRAM, READY, TURN
from dali_pipelines.isolation.messages import ANSWER_BYTES, Request, read_answer, write_request
from dali_pipelines.isolation.shared_bytes import SharedBytes
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import RejectError

START_S: Final = 120.0  # 0.2 s on an idle machine
# Else glibc gives the memory of each image back and asks for it anew, page by page: of 8.5 MP 50 of
# 957 ms for JPEG 2000, 5 of 49 for HTJ2K, 8 of 27 for RLE (CPU time of a child, glibc 2.36).
_ALLOCATORS: Final = {
    "MALLOC_TRIM_THRESHOLD_": f"{1 << 28}",
    "MALLOC_MMAP_THRESHOLD_": f"{1 << 28}",
    # Arrow's own allocator reserves 1 GiB of addresses at its first use: more than a child may map.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}

Answer = Pixels | RejectError


class RunningChild:
    """Decodes one codestream at a time; OSError where it cannot be started."""

    def __init__(self, function: str, bytes_per_pixel: int) -> None:
        self._memory = SharedBytes()
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        alive, self._alive = os.pipe()
        theirs = (requests, answers, alive)
        seen = (requests, answers, self._memory.descriptor, alive)
        try:
            self._process = _start(function, seen, bytes_per_pixel)
        except OSError:
            self._close_ours()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def decode(self, encoded: Encoded, recipe: Recipe, timeout_s: float) -> Answer:
        """The child's answer; TimeoutError if there is none in time, ValueError if it is none.

        EOFError or OSError if the child is dead.
        """
        stream, length, sizes = encoded.record.stream, len(encoded.data), encoded.sizes
        request = write_request(Request(encoded.record, recipe, length, sizes))
        total = max(length + len(request), 2 * stream.height * stream.width)
        memory = self._shared(total)
        memory[:length] = encoded.data
        memory[length : length + len(request)] = np.frombuffer(request, np.uint8)
        os.write(self._requests, TURN.pack(length, len(request), total))
        answer = read_answer(self._read(timeout_s * encoded.frames), stream)
        if isinstance(answer, RejectError):
            return answer
        values = memory[: 2 * answer.height * answer.width].view(np.uint16)
        shape = (answer.height, answer.width)
        return Pixels(values.reshape(shape).copy(), answer.shift, answer.reduce)

    def _shared(self, size: int) -> NDArray[np.uint8]:
        try:
            return self._memory.view(size)
        except OSError as error:
            raise DeviceError(
                f"no {size:,} bytes can be shared with a decoder process: {error.strerror}; raise "
                "the limit of file sizes (ulimit -f), free memory, or set loader.isolation to "
                "thread"
            ) from error

    def _read(self, timeout_s: float) -> bytes:
        """One answer: a write of so few bytes comes whole, so what is there is all of it."""
        waiting = select.poll()
        waiting.register(self._answers, select.POLLIN)
        if not waiting.poll(1000 * timeout_s):
            raise TimeoutError
        answer = os.read(self._answers, ANSWER_BYTES)
        if not answer:
            raise EOFError
        return answer

    def is_ready(self) -> bool:
        """Whether the child has loaded its decoders; waits for it."""
        with suppress(EOFError, TimeoutError):  # it has ended, or hangs and is killed by `close`
            return self._read(START_S) == READY
        return False

    def has_ended(self) -> bool:
        """Whether the process is over; does not wait."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the process at once; any thread may ask."""
        self._process.kill()

    def close(self) -> int:
        """Hang up, kill what does not end within a second; the exit status, < 0 for a signal."""
        os.close(self._requests)
        self._requests = -1
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._close_ours()
        return status

    def _close_ours(self) -> None:
        for descriptor in (self._requests, self._answers, self._alive):
            if descriptor >= 0:
                os.close(descriptor)
        self._memory.close()


def _start(
    function: str, descriptors: tuple[int, ...], bytes_per_pixel: int
) -> subprocess.Popen[bytes]:
    """The child's program, with the other ends of what its parent holds."""
    numbers = map(str, (*descriptors, bytes_per_pixel))
    return subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
        # -P: else a file in the current folder would stand in for a library of the same name
        [sys.executable, "-P", "-m", PROGRAM, function, *numbers],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a dying decoder prints what it read
        env={**_ALLOCATORS, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,  # Ctrl-C in a terminal is for the parent to answer
    )
