"""Contenders, each in a process of its own, measured in turns.

So the memory of one is its own, none forks threads of another, and none finds caches that another
has warmed. Rounds are interleaved: whatever else disturbs the machine disturbs all alike.
"""

import importlib
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self

from benchmarks.job import Contender
from benchmarks.process_tree import cpu_seconds, descendants, memory_mib
from benchmarks.timing import Measurement, Sample
from dali_pipelines.errors import DeviceError, MammoError

SAMPLE_S: Final = 0.02  # between two looks at the memory; the least job here takes ten times that
PATIENCE_S: Final = 20.0  # for a contender to end its pass and put its workers away


class ContenderError(RuntimeError):
    """A contender failed, with this class of error."""


class Apart:
    """One contender in its process; a context manager.

    Raises what the contender raises as MammoError, ContenderError for any other error of it and
    where its process died.
    """

    def __init__(self, contender: Contender) -> None:
        self.baseline_mib: float | None = None
        self.peak_mib: float | None = None
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        method = multiprocessing.get_start_method()
        self._process = context.Process(target=_serve, args=(theirs, contender, method))
        self._process.start()
        theirs.close()

    def __enter__(self) -> Self:
        try:
            self._receive()
            self.baseline_mib = memory_mib(self._pid)
            self._pipe.send(None)
            self._receive(watched=True)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def run(self, *, watched: bool = False) -> Sample:
        """One pass; `watched` also looks at the memory all the while, which takes some time."""
        before = cpu_seconds(self._pid)
        self._pipe.send(None)
        wall_s = float(self._receive(watched=watched))
        after = cpu_seconds(self._pid)
        return Sample(wall_s, None if before is None or after is None else after - before)

    @property
    def _pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def _receive(self, *, watched: bool = False) -> Any:
        """The next answer; looks at the memory until it comes."""
        while watched and not self._pipe.poll(SAMPLE_S):
            self._look()
        if watched:
            self._look()
        try:
            answer = self._pipe.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(PATIENCE_S)
            status = self._process.exitcode
            raise ContenderError(f"its process ended with status {status}") from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _look(self) -> None:
        now_mib = memory_mib(self._pid)
        if now_mib is not None:
            self.peak_mib = max(now_mib, self.peak_mib or 0.0)

    def _end(self) -> None:
        """Let it put its workers and files away; leave no process behind if it does not."""
        self._pipe.close()
        self._process.join(PATIENCE_S)
        if self._process.is_alive():
            for pid in reversed(descendants(self._pid)):
                _kill(pid)
        self._process.join()


def measure(
    contenders: Sequence[Contender],
    repeats: int,
    on_pass: Callable[[], object] = lambda: None,
) -> dict[str, Measurement | str]:
    """Each contender's passes, by name; for an optional one that cannot do them the reason.

    In the first round each begins and has a pass that is not timed, with its memory watched; in
    each of the `repeats` rounds that follow all have one timed pass. Errors as those of `Apart`,
    DeviceError where a library is missing.
    """
    with ExitStack() as stack:
        entries = [_Entry(contender, stack) for contender in contenders]
        for _ in range(repeats + 1):
            for entry in entries:
                entry.go_on()
                on_pass()
        return {entry.contender.name: entry.result() for entry in entries}


class _Entry:
    """A contender's state in a measurement."""

    def __init__(self, contender: Contender, stack: ExitStack) -> None:
        self.contender = contender
        self._stack = stack
        self._apart: Apart | None = None
        self._samples: list[Sample] = []
        self._reason = ""

    def go_on(self) -> None:
        """The next pass, if it is still in."""
        if self._reason:
            return
        try:
            if self._apart is None:
                self._begin()
            else:
                self._samples.append(self._apart.run())
        except (ContenderError, MammoError) as error:
            if not self.contender.optional:
                raise
            self._reason = self._reason or f"failed: {error}"

    def result(self) -> Measurement | str:
        """What came of it."""
        if self._reason or self._apart is None:
            return self._reason
        apart = self._apart
        return Measurement(tuple(self._samples), apart.baseline_mib, apart.peak_mib)

    def _begin(self) -> None:
        if missing := ", ".join(self.contender.missing):
            self._reason = f"not installed: {missing}"
            raise DeviceError(f"{self.contender.name} needs {missing}, which is not installed")
        self._apart = self._stack.enter_context(Apart(self.contender))
        self._apart.run(watched=True)


def _serve(pipe: Connection, contender: Contender, method: str) -> None:
    """What the process does: import, get ready, then one pass whenever asked to.

    `method` is how workers start on this system; it would be "spawn" here, as for this process.
    """
    multiprocessing.set_start_method(method, force=True)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends us
    try:
        for library in contender.libraries:
            importlib.import_module(library)
        pipe.send(None)
        pipe.recv()
        with contender.open_pass(contender.job) as work:
            pipe.send(None)
            while True:
                pipe.recv()
                start = time.perf_counter()
                work()
                pipe.send(time.perf_counter() - start)
    except (EOFError, BrokenPipeError):  # the parent wants no more passes
        return
    except MammoError as error:
        pipe.send(error)
    except Exception as error:  # noqa: BLE001 - its text may hold anything: only the class
        if os.environ.get("MAMMO_DEBUG", "") not in {"", "0"}:
            traceback.print_exception(error, file=sys.stderr)
        pipe.send(ContenderError(type(error).__name__))


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
