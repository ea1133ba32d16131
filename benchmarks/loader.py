"""DICOM files to batches of tensors: the whole loader, as training uses it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal

from benchmarks.job import Job
from dali_pipelines.errors import DatasetError
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.preparation import Preparation

Isolation = Literal["thread", "process"]
ISOLATION: Final[Isolation] = LoaderSettings().isolation


@contextmanager
def open_pass(job: Job, isolation: Isolation = ISOLATION) -> Iterator[Callable[[], None]]:
    """A pass of one loader, which stays open from pass to pass as in training.

    The pass raises DatasetError where an image gives no tensor: fewer images would be no rate.
    """
    with open_loader(job, isolation) as loader:

        def run() -> None:
            done = sum(int(batch.valid.sum()) for batch in loader.run(job.blocks))
            job.finish()
            require_all(done, job, loader)

        yield run


def open_loader(job: Job, isolation: Isolation = ISOLATION) -> Loader:
    """The loader of a job."""
    settings = LoaderSettings(threads=job.threads, isolation=isolation)
    return Loader(job.records, job.recipe, settings, job.device)


def require_all(done: int, job: Job, loader: Preparation) -> None:
    """Raise DatasetError unless each record gave an image."""
    if done != len(job.records):
        codes = ", ".join(sorted({reject.reason.value for reject in loader.rejects}))
        raise DatasetError(
            f"{len(job.records) - done} of {len(job.records)} images gave no tensor ({codes}); "
            "measure on files that `mammo preprocess` takes"
        )


def libraries(job: Job) -> tuple[str, ...]:
    """The import baseline: the same for every syntax, so that what is above it can be compared.

    What training imports in any case, and on a GPU DALI, which decodes nearly all there.
    """
    by_dali = ("dali_pipelines.graph",) if job.device == "gpu" else ()
    return ("torch", "timm", *by_dali)
