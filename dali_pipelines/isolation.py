"""A decoder in a child process, which may die without taking the run along.

Decoders are C libraries: on damaged data some abort the process. After DALI refused a batch, its
samples go through here one by one; a sample that kills the child costs that sample.
"""

import importlib
import os
import resource
import subprocess
import sys
from multiprocessing.connection import Connection
from typing import Final

from dali_pipelines.records import Encoded, Pixels
from dali_pipelines.verdicts import Reason, RejectError

CPU_DECODER: Final = "dali_pipelines.cpu.decode:decode"
TIMEOUT_S: Final = 60.0  # the largest mammogram takes about 4 s in the slowest decoder


class IsolatedDecoder:
    """Runs "module:function" (Encoded -> Pixels) in a child, started at the first use.

    A plain program and not multiprocessing, which would run the user's main module again.
    """

    def __init__(self, function: str = CPU_DECODER, timeout_s: float = TIMEOUT_S) -> None:
        self._function = function
        self.timeout_s = timeout_s
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: _Duplex | None = None

    def decode(self, encoded: Encoded) -> Pixels:
        """What the function gives for one codestream.

        Raises what it raises as RejectError, DECODER_CRASH where the child died of the codestream,
        TIMEOUT where it did not answer in time.
        """
        pipe = self._pipe or self._start()
        try:
            pipe.send(encoded)
            if not pipe.poll(self.timeout_s):
                self.close()
                raise RejectError(
                    Reason.TIMEOUT, f"the decoder did not finish within {self.timeout_s:g} s"
                )
            answer = pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            status = self.close()
            raise RejectError(
                Reason.DECODER_CRASH, f"the decoder process ended with status {status}"
            ) from None
        if isinstance(answer, RejectError):
            raise answer
        assert isinstance(answer, Pixels)
        return answer

    def close(self) -> int | None:
        """End the child if there is one; its exit status, negative for a signal."""
        if self._child is None or self._pipe is None:
            return None
        self._pipe.close()
        try:
            status = self._child.wait(timeout=1)
        except subprocess.TimeoutExpired:
            self._child.kill()
            status = self._child.wait()
        self._child = self._pipe = None
        return status

    def _start(self) -> "_Duplex":
        requests, parent_writes = os.pipe()
        parent_reads, answers = os.pipe()
        self._child = subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
            [sys.executable, "-m", __name__, str(requests), str(answers), self._function],
            pass_fds=(requests, answers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a dying decoder prints what it read
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        os.close(requests)
        os.close(answers)
        self._pipe = _Duplex(parent_reads, parent_writes)
        return self._pipe


class _Duplex:
    """Two one-way pipes as one connection."""

    def __init__(self, read_descriptor: int, write_descriptor: int) -> None:
        self._reader = Connection(read_descriptor, writable=False)
        self._writer = Connection(write_descriptor, readable=False)
        self.poll = self._reader.poll
        self.recv = self._reader.recv
        self.send = self._writer.send

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def _serve(pipe: _Duplex, function: str) -> None:
    module, name = function.split(":")
    decode = getattr(importlib.import_module(module), name)
    while True:
        try:
            encoded = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(decode(encoded))
        except RejectError as error:
            pipe.send(error)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold patient data
    _serve(_Duplex(int(sys.argv[1]), int(sys.argv[2])), sys.argv[3])
