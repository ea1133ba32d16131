"""A function over many items in processes that may die, without losing or repeating an item.

The scan reads headers through it: where reading one file takes its process down, that file is
told apart from those that shared the process and were innocent.
"""

import itertools
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import Generic, TypeVar

from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.lifeline import end_with_the_writer_of

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Died(Generic[T]):
    """In the place of a result: working on `item` alone killed a fresh process."""

    item: T


def map_chunks(
    function: Callable[[T], R], items: Iterable[T], workers: int, chunk: int
) -> Iterator[list[R | Died[T]]]:
    """The results of `function`, `chunk` items at a time, in no fixed order.

    With one worker everything runs in this process and nothing is guarded. Otherwise `function`
    must be picklable and must not raise. When a process dies, each chunk that was under way is
    tried again in a fresh process, and halved where that dies too, until the item is found. Raises
    DeviceError where processes cannot be started at all.
    """
    chunks = _chunks(items, chunk)
    if workers == 1:
        for part in chunks:
            yield [function(item) for item in part]
        return
    job = partial(_run_chunk, function)
    lost: list[list[T]] = []
    while True:
        yield from _run_pool(job, chunks, workers, lost)
        if not lost:
            return
        _prove_processes_start()
        for part in lost:
            yield from _retry(job, part)
        lost.clear()


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(itertools.islice(rest, size)):
        yield part


def _run_chunk(function: Callable[[T], R], part: list[T]) -> list[R]:
    return [function(item) for item in part]


def _run_pool(
    job: Callable[[list[T]], list[R]],
    chunks: Iterator[list[T]],
    workers: int,
    lost: list[list[T]],
) -> Iterator[list[R | Died[T]]]:
    """Results until `chunks` end or a process dies; what was under way then goes to `lost`."""
    pending: dict[Future[list[R]], list[T]] = {}
    with _pool(workers) as pool:
        while True:
            room = 0 if lost else 2 * workers - len(pending)
            for part in itertools.islice(chunks, room):
                try:
                    pending[pool.submit(job, part)] = part
                except BrokenProcessPool:
                    lost.append(part)
                    break
            if not pending:
                return
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                part = pending.pop(future)
                try:
                    yield list(future.result())
                except BrokenProcessPool:
                    lost.append(part)


def _retry(job: Callable[[list[T]], list[R]], part: list[T]) -> Iterator[list[R | Died[T]]]:
    try:
        with _pool(1) as pool:
            yield list(pool.submit(job, part).result())
    except BrokenProcessPool:
        if len(part) == 1:
            yield [Died(part[0])]
            return
        middle = len(part) // 2
        for half in (part[:middle], part[middle:]):
            yield from _retry(job, half)


def _prove_processes_start() -> None:
    """Before items are blamed: does an idle process live? Raises DeviceError if it does not."""
    try:
        with _pool(1) as pool:
            pool.submit(os.getpid).result()
    except BrokenProcessPool:
        raise DeviceError(
            "worker processes cannot start on this machine; use --workers 1, and in a script of "
            'your own call this below `if __name__ == "__main__":`'
        ) from None


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Processes that start afresh, since a fork of a process with threads may hang.

    They end with this one, also where it is killed; multiprocessing's helper process then does too.
    """
    context = multiprocessing.get_context("spawn")
    alive, ours = context.Pipe(duplex=False)
    with (
        alive,
        ours,
        ProcessPoolExecutor(
            workers, mp_context=context, initializer=_settle_in, initargs=(alive,)
        ) as pool,
    ):
        yield pool


def _settle_in(alive: Connection) -> None:
    """Leave Ctrl-C to the parent, which ends the pool; leave no core dump, which holds patients.

    The process ends when the parent's end of `alive` closes.
    """
    end_with_the_writer_of(alive.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
