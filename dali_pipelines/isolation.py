"""A decoder in a child process, which may die or hang without taking the run along.

Decoders are C libraries: on damaged data some abort the process, and Pillow's holds the GIL. The
codestream goes over and the values come back in shared memory; a pipe says whose turn it is.
"""

import fcntl
import importlib
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Final

import numpy as np

from dali_pipelines.errors import DeviceError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Encoded, ImageRecord, Pixels
from dali_pipelines.shared_bytes import SharedBytes
from dali_pipelines.verdicts import Reason, RejectError, guarded

CPU_DECODER: Final = "dali_pipelines.cpu.reduced_decode:decode_reduced"
TIMEOUT_S: Final = 60.0  # the largest mammogram takes about 4 s in the slowest decoder
START_S: Final = 120.0  # 0.2 s on an idle machine
_READY: Final = "ready"
# Else glibc gives the memory of each image back and asks for it anew, page by page: of 8.5 MP 50 of
# 957 ms for JPEG 2000, 5 of 49 for HTJ2K, 8 of 27 for RLE (CPU time of a child, glibc 2.36).
_KEEP_MEMORY: Final = {
    "MALLOC_TRIM_THRESHOLD_": f"{1 << 28}",
    "MALLOC_MMAP_THRESHOLD_": f"{1 << 28}",
}

_Answer = Pixels | RejectError
_Decode = Callable[[Encoded, Recipe], Pixels]


class IsolatedDecoder:
    """Runs "module:function" (Encoded, Recipe -> Pixels) in a child, for one thread at a time.

    The child starts at the first use; it is a plain program and not multiprocessing, which would
    run the user's main module again, and so inherits no thread, lock or CUDA context. It ends when
    this process does, however that ends.
    """

    def __init__(self, function: str = CPU_DECODER, timeout_s: float = TIMEOUT_S) -> None:
        self._function = function
        self.timeout_s = timeout_s
        self._child: _Child | None = None

    def decode(self, encoded: Encoded, recipe: Recipe) -> Pixels:
        """What the function gives for one codestream.

        Raises what it raises as RejectError, DECODER_CRASH where the child died of the codestream,
        TIMEOUT where it did not answer in time; DeviceError where no child can be started. No
        codestream makes a decoder send itself SIGKILL: that came from outside, so a child that was
        killed is replaced and asked once more. It may have come for the memory that this very
        codestream takes, so the second time is a crash.
        """
        answer = self._ask(encoded, recipe)
        if answer == -signal.SIGKILL:
            answer = self._ask(encoded, recipe)
        if isinstance(answer, int):
            raise RejectError(
                Reason.DECODER_CRASH, f"the decoder process ended with status {answer}"
            )
        if isinstance(answer, RejectError):
            raise answer
        return answer

    def close(self) -> int | None:
        """End the child if there is one; its exit status, negative for a signal."""
        child, self._child = self._child, None
        return None if child is None else child.close()

    def _ask(self, encoded: Encoded, recipe: Recipe) -> _Answer | int:
        """The child's answer, or its exit status if it died over it."""
        if self._child is None or self._child.has_ended():
            self.close()
            self._child = _new_child(self._function)
        try:
            answer = self._child.decode(encoded, recipe, self.timeout_s)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return self.close() or 0
        if answer is None:
            self._child.kill()
            self.close()
            return RejectError(
                Reason.TIMEOUT, f"the decoder did not finish within {self.timeout_s:g} s"
            )
        return answer


class _Child:
    """A running child, seen from here."""

    def __init__(self, function: str) -> None:
        self._memory = SharedBytes()
        self._pipe, theirs = Pipe()
        alive, self._alive = Pipe(duplex=False)
        try:
            self._process = _start(function, theirs, self._memory, alive)
        except OSError:
            self._memory.close()
            raise
        finally:
            theirs.close()
            alive.close()
        self._require_ready()

    def decode(self, encoded: Encoded, recipe: Recipe, timeout_s: float) -> _Answer | None:
        """The child's answer, None if there is none in time; EOFError or OSError if it is dead."""
        stream, length = encoded.record.stream, len(encoded.data)
        memory = self._memory.view(max(length, 2 * stream.height * stream.width))
        memory[:length] = encoded.data
        self._pipe.send((encoded.record, recipe, length))
        if not self._pipe.poll(timeout_s):
            return None
        answer = self._pipe.recv()
        if isinstance(answer, RejectError):
            return answer
        height, width, shift, levels = answer
        values = memory[: 2 * height * width].view(np.uint16).reshape(height, width)
        return Pixels(values.copy(), shift, levels)

    def _require_ready(self) -> None:
        """DeviceError unless the child has loaded its decoders: that is no codestream's fault."""
        try:
            if self._pipe.poll(START_S) and self._pipe.recv() == _READY:
                return
        except (EOFError, ConnectionResetError):
            pass  # it has ended; one that hangs is killed by `close`
        raise DeviceError(
            f"a decoder process ended or hung before its first image (status {self.close()}); run "
            "mammo doctor to see which library does not load"
        )

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
        self._pipe.close()
        try:
            status = self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._alive.close()
        self._memory.close()
        return status


def _new_child(function: str) -> _Child:
    try:
        return _Child(function)
    except OSError as error:
        raise DeviceError(
            f"no decoder process could be started: {error}; free what is scarce, or set "
            "loader.isolation to thread"
        ) from error


def _start(
    function: str, pipe: Connection, memory: SharedBytes, alive: Connection
) -> subprocess.Popen[bytes]:
    """The program below, with the other ends of what its parent holds."""
    descriptors = (pipe.fileno(), memory.descriptor, alive.fileno())
    return subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
        # -P: else a file in the current folder would stand in for a library of the same name
        [sys.executable, "-P", "-m", __name__, function, *map(str, descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a dying decoder prints what it read
        env={**_KEEP_MEMORY, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,  # Ctrl-C in a terminal is for the parent to answer
    )


def _serve(function: str, pipe: Connection, memory: SharedBytes) -> None:
    """Answer until the parent hangs up."""
    module, name = function.split(":")
    decode: _Decode = getattr(importlib.import_module(module), name)
    pipe.send(_READY)
    while True:
        try:
            record, recipe, length = pipe.recv()
        except (EOFError, ConnectionResetError):
            return
        pipe.send(_answer(decode, record, recipe, memory, length))


def _answer(
    decode: _Decode, record: ImageRecord, recipe: Recipe, memory: SharedBytes, length: int
) -> Any:
    """(height, width, shift, levels left out) of the values now in `memory`, or RejectError."""
    data = memory.view(length)
    data.setflags(write=False)
    pixels = guarded(partial(decode, Encoded(data, record), recipe))
    if isinstance(pixels, RejectError):
        return pixels
    values = np.asarray(pixels.values)
    memory.view(values.nbytes).view(np.uint16).reshape(values.shape)[:] = values
    return *values.shape, pixels.shift, pixels.reduce


def _die_with_the_parent(alive: int) -> None:
    """Have SIGIO end this process, also in the midst of a decoder, when the parent's end closes.

    Not by PR_SET_PDEATHSIG, which looks at the parent's thread, and that may end long before.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(alive, fcntl.F_SETFL, os.O_ASYNC)


def _main(function: str, pipe: int, memory: int, alive: int) -> None:
    for asked_of_the_parent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked_of_the_parent, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold patient data
    _die_with_the_parent(alive)
    _serve(function, Connection(pipe), SharedBytes(memory))
    os._exit(0)  # nothing is left to write, and the interpreter takes 0.1 s to tidy up


if __name__ == "__main__":
    _main(sys.argv[1], *map(int, sys.argv[2:5]))
