"""A decoder in a child process, which may die or hang without taking the run along.

Decoders are C libraries: on damaged data some abort the process, some ask for gigabytes, and
Pillow's holds the GIL. The codestream goes over and the values come back in shared memory; pipes
say whose turn it is. What the child answers is not trusted, see `messages`.
"""

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Final

import numpy as np

from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.child import PROGRAM, READY, TURN
from dali_pipelines.isolation.messages import ANSWER_BYTES, Request, read_answer, write_request
from dali_pipelines.isolation.shared_bytes import SharedBytes
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Encoded, Pixels
from dali_pipelines.verdicts import Reason, RejectError

CPU_DECODER: Final = "dali_pipelines.cpu.reduced_decode:decode_reduced"
TIMEOUT_S: Final = LoaderSettings().timeout_s
START_S: Final = 120.0  # 0.2 s on an idle machine
_STARTS: Final = 3  # tries, where something outside kills the child before its first image
# Else glibc gives the memory of each image back and asks for it anew, page by page: of 8.5 MP 50 of
# 957 ms for JPEG 2000, 5 of 49 for HTJ2K, 8 of 27 for RLE (CPU time of a child, glibc 2.36).
_KEEP_MEMORY: Final = {
    "MALLOC_TRIM_THRESHOLD_": f"{1 << 28}",
    "MALLOC_MMAP_THRESHOLD_": f"{1 << 28}",
}

_Answer = Pixels | RejectError


class IsolatedDecoder:
    """Runs "module:function" (Encoded, Recipe -> Pixels) in a child, for one thread at a time.

    `timeout_s` is for each codestream: the maximum over n frames has n times as long.

    The child starts at the first use; it is a plain program and not multiprocessing, which would
    run the user's main module again, and so inherits no thread, lock or CUDA context. It ends when
    this process does, however that ends.
    """

    def __init__(self, function: str = CPU_DECODER, timeout_s: float = TIMEOUT_S) -> None:
        self._function = function
        self.timeout_s = timeout_s
        self._child: _Child | None = None
        self._stopped = False

    def decode(self, encoded: Encoded, recipe: Recipe) -> Pixels:
        """What the function gives for one codestream.

        Raises what it raises as RejectError, DECODER_CRASH where the child died of the codestream,
        TIMEOUT where it did not answer in time; DeviceError where no child can be started or `stop`
        was called. No codestream makes a decoder send itself SIGKILL: that came from outside, so a
        child that was killed is replaced and asked once more. It may have come for the memory that
        this very codestream takes, so the second time is a crash. Memory may also be lacking for
        what earlier codestreams left behind, so a child that had one is replaced likewise.
        """
        is_new = self._child is None
        answer = self._ask(encoded, recipe)
        lacks_memory = isinstance(answer, RejectError) and answer.reason is Reason.OUT_OF_MEMORY
        if lacks_memory:
            self.close()
        if answer == -signal.SIGKILL or (lacks_memory and not is_new):
            answer = self._ask(encoded, recipe)
        if isinstance(answer, int):
            raise RejectError(
                Reason.DECODER_CRASH, f"the decoder process ended with status {answer}"
            )
        if isinstance(answer, RejectError):
            raise answer
        return answer

    def stop(self) -> None:
        """End the child at once; any thread may ask. A decode under way or to come is refused."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> int | None:
        """End the child if there is one; its exit status, negative for a signal."""
        child, self._child = self._child, None
        return None if child is None else child.close()

    def _ask(self, encoded: Encoded, recipe: Recipe) -> _Answer | int:
        """The child's answer, or its exit status if it died over it."""
        child = self._living_child()
        try:
            return child.decode(encoded, recipe, self.timeout_s)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            status = self.close() or 0
            self._require_going()
            return status
        except TimeoutError:
            detail = f"the decoder did not finish within {self.timeout_s:g} s"
            return self._give_up(Reason.TIMEOUT, detail)
        except ValueError:
            return self._give_up(Reason.DECODER_CRASH, "the decoder process answered nonsense")

    def _living_child(self) -> "_Child":
        self._require_going()
        if self._child is None or self._child.has_ended():
            self.close()
            self._child = _new_child(self._function)
            self._require_going()  # `stop` may not have seen it
        return self._child

    def _require_going(self) -> None:
        if self._stopped:
            self.close()
            raise DeviceError("the decoder processes were ended while images were still to come")

    def _give_up(self, reason: Reason, detail: str) -> RejectError:
        """End the child, whatever it is at; why there is no image."""
        if self._child is not None:
            self._child.kill()
        self.close()
        return RejectError(reason, detail)


class _Child:
    """A running child, seen from here."""

    def __init__(self, function: str) -> None:
        self._memory = SharedBytes()
        requests, self._requests = os.pipe()
        self._answers, answers = os.pipe()
        alive, self._alive = os.pipe()
        theirs = (requests, answers, alive)
        try:
            self._process = _start(function, requests, answers, self._memory.descriptor, alive)
        except OSError:
            self._close_ours()
            raise
        finally:
            for descriptor in theirs:
                os.close(descriptor)

    def decode(self, encoded: Encoded, recipe: Recipe, timeout_s: float) -> _Answer:
        """The child's answer; TimeoutError if there is none in time, ValueError if it is none.

        EOFError or OSError if the child is dead.
        """
        stream, length, sizes = encoded.record.stream, len(encoded.data), encoded.sizes
        request = write_request(Request(encoded.record, recipe, length, sizes))
        total = max(length + len(request), 2 * stream.height * stream.width)
        memory = self._memory.view(total)
        memory[:length] = encoded.data
        memory[length : length + len(request)] = np.frombuffer(request, np.uint8)
        os.write(self._requests, TURN.pack(length, len(request), total))
        answer = read_answer(self._read(timeout_s * encoded.frames), stream)
        if isinstance(answer, RejectError):
            return answer
        values = memory[: 2 * answer.height * answer.width].view(np.uint16)
        shape = (answer.height, answer.width)
        return Pixels(values.reshape(shape).copy(), answer.shift, answer.reduce)

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
        return self._process.poll() is not None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> int:
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


def _new_child(function: str) -> _Child:
    """A child that is ready; DeviceError if there can be none, which is no codestream's fault."""
    status = 0
    for _ in range(_STARTS):
        try:
            child = _Child(function)
        except OSError as error:
            raise DeviceError(
                f"no decoder process could be started: {error}; free what is scarce, or set "
                "loader.isolation to thread"
            ) from error
        if child.is_ready():
            return child
        status = child.close()
        if status != -signal.SIGKILL:
            break
    raise DeviceError(
        f"a decoder process ended or hung before its first image (status {status}); run mammo "
        "doctor to see which library does not load"
    )


def _start(function: str, *descriptors: int) -> subprocess.Popen[bytes]:
    """The child's program, with the other ends of what its parent holds."""
    return subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
        # -P: else a file in the current folder would stand in for a library of the same name
        [sys.executable, "-P", "-m", PROGRAM, function, *map(str, descriptors)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a dying decoder prints what it read
        env={**_KEEP_MEMORY, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        process_group=0,  # Ctrl-C in a terminal is for the parent to answer
    )
