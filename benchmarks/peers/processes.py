"""One function over all files in as many processes as cores, as conversion scripts do."""

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.job import Job

Convert = Callable[
    [str, Path], object
]  # path of the DICOM file, folder and stem of what it becomes


@contextmanager
def open_processes(job: Job, convert: Convert) -> Iterator[Callable[[], None]]:
    """A pass of `convert` over the job's files. What it writes is overwritten in the next pass.

    The processes live from pass to pass, as in a conversion of a whole archive.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(job.threads, initializer=_single_threaded) as executor,
    ):
        paths = [record.location.path for record in job.records]
        targets = [Path(folder) / f"{k:06d}" for k in range(len(paths))]

        def run() -> None:
            for _ in executor.map(convert, paths, targets):
                pass

        yield run


def _single_threaded() -> None:
    """Threads of OpenCV in each of the processes would only get in each other's way."""
    import cv2  # noqa: PLC0415 - comes with the bench extra

    cv2.setNumThreads(1)
