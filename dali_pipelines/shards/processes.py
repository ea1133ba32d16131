"""Several processes on one folder of shards: on a machine with several GPUs, one for each.

They share the work as any processes do that are given the same folder: each claims a shard after
another, so none waits for a slower one.
"""

import itertools
import multiprocessing as mp
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType
from typing import Any, Final

import torch

from dali_pipelines.errors import DeviceError
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.recipe import Recipe
from dali_pipelines.review import Review, reviewed
from dali_pipelines.shards.preprocess import PreprocessResult, Task, preprocess
from dali_pipelines.shards.settings import ShardSettings
from dali_pipelines.steps import Device, choose_device

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_RANKS: Final = "LOCAL_WORLD_SIZE"  # by which a process knows its share of the cores
_TERMINATED: Final = 143
_PATIENCE_S: Final = 10.0  # for a process to put its files away


@dataclass(frozen=True, slots=True)
class Job:
    """What every process does: the arguments of `preprocess`, and those of its loader.

    `review` has boxes by hand for images of the manifest.
    """

    manifest: Path
    recipe: Recipe
    out: Path
    settings: ShardSettings
    task: Task
    threads: int = 0
    device: Device = "gpu"
    review: Review | None = None


def gpu_names() -> list[str]:
    """The GPUs of this machine as CUDA_VISIBLE_DEVICES names them; DeviceError without any."""
    choose_device("gpu")
    count = torch.cuda.device_count()
    given = [name for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
    return given[:count] if len(given) >= count else [str(number) for number in range(count)]


def preprocess_together(
    job: Job, gpus: list[str], progress: Callable[[int], None]
) -> PreprocessResult:
    """The result of as many processes as there are names, each of which sees one GPU only.

    `progress` gets the images that they make. They end with this one. One that fails leaves its
    work to the others, and its error is raised when they have ended: DeviceError for one that died.
    """
    context = mp.get_context("spawn")
    running: dict[Connection, SpawnProcess] = {}
    try:
        for name in gpus:
            here, there = context.Pipe(duplex=False)
            environment = {_VISIBLE: name, _RANKS: str(len(gpus))}
            process = context.Process(target=_work, args=(there, job, environment), daemon=True)
            process.start()
            there.close()
            running[here] = process
        results = _follow(running, progress)
    except BaseException:
        for process in running.values():
            process.terminate()
        raise
    finally:
        for process in running.values():
            process.join(_PATIENCE_S)
            process.kill()
    return _joined(results)


def _follow(
    running: dict[Connection, SpawnProcess], progress: Callable[[int], None]
) -> list[PreprocessResult]:
    """What each process gave; the first error once all have ended."""
    results: list[PreprocessResult] = []
    errors: list[BaseException] = []
    pending = dict(running)
    while pending:
        for ready in wait(list(pending)):
            assert isinstance(ready, Connection)
            message = _received(ready, pending[ready])
            if isinstance(message, int):
                progress(message)
                continue
            pending.pop(ready)
            (results if isinstance(message, PreprocessResult) else errors).append(message)
    if errors:
        raise errors[0]
    return results


def _received(connection: Connection, process: SpawnProcess) -> Any:
    try:
        return connection.recv()
    except EOFError:
        process.join()
        return DeviceError(
            f"a process on one of the GPUs ended with status {process.exitcode}; the shards of the "
            "others are there: run the same command again"
        )


def _joined(results: list[PreprocessResult]) -> PreprocessResult:
    """What the last to end saw, and what all of them did."""
    last = min(results, key=lambda result: result.missing)
    written, verified = (sum(getattr(r, name) for r in results) for name in ("written", "verified"))
    return replace(last, written=written, verified=verified)


def _work(connection: Connection, job: Job, environment: dict[str, str]) -> None:
    """Do the job in a process of its own, and send what comes of it."""
    os.environ.update(environment)  # torch and CuPy look at it when they first ask CUDA
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # which the parent gets too, and ends this one
    signal.signal(signal.SIGTERM, _terminate)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    found = itertools.count()

    def told(images: int) -> None:
        if next(found):  # what was there at first, another process may have made just now
            connection.send(images)

    try:
        records = reviewed(to_records(read_manifest(job.manifest)), job.review)
        settings = LoaderSettings(threads=job.threads)
        loader = partial(Loader, settings=settings, device=job.device)
        result: Any = preprocess(records, job.recipe, job.out, job.settings, job.task, loader, told)
    except Exception as error:  # noqa: BLE001 - raised by the parent
        result = error
    connection.send(result)


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(_TERMINATED)


def _end_with_parent() -> None:
    """End this process when its parent has, also where that was killed."""
    parent = mp.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
