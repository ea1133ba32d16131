"""The steps after decoding alone: window, ROI and resize of images that are in memory."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import torch

from benchmarks.decode import read_stream
from benchmarks.job import Job
from dali_pipelines.cpu.decode import decode
from dali_pipelines.errors import DatasetError
from dali_pipelines.records import ImageRecord
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Pixels
from dali_pipelines.steps import Steps, load_steps
from dali_pipelines.verdicts import RejectError

_Image = tuple[Pixels, ImageRecord]


@contextmanager
def open_pass(job: Job) -> Iterator[Callable[[], None]]:
    """A pass over decoded images, of which each file is decoded once.

    On the CPU each thread takes an image at a time, as in the loader; on the GPU a batch is one
    call. DatasetError where an image cannot be decoded.
    """
    steps = load_steps(job.device)
    with ThreadPoolExecutor(job.threads) as pool:
        batches = _decode_batches(job, pool)
        if job.device == "gpu":

            def run_batch(batch: Sequence[_Image], out: torch.Tensor) -> None:
                _prepare(steps, job, batch, out)
        else:

            def run_batch(batch: Sequence[_Image], out: torch.Tensor) -> None:
                rows = [out[k : k + 1].numpy() for k in range(len(batch))]
                list(pool.map(partial(_prepare, steps, job), [[item] for item in batch], rows))

        def run() -> None:
            for batch in batches:
                run_batch(batch, _empty(job, len(batch)))
            job.finish()

        yield run


def _prepare(steps: Steps, job: Job, images: Sequence[_Image], out: object) -> None:
    shadings = [image_shading(record, job.recipe) for _, record in images]
    steps.prepare([pixels for pixels, _ in images], shadings, job.recipe, out)


def _empty(job: Job, count: int) -> torch.Tensor:
    """Room for a batch; the CPU's steps fill float32, whatever the loader makes of it then."""
    recipe = job.recipe
    dtype: torch.dtype = getattr(torch, recipe.resize.dtype if job.device == "gpu" else "float32")
    return torch.empty((count, recipe.channels, *recipe.size), dtype=dtype, device=job.torch_device)


def _decode_batches(job: Job, pool: ThreadPoolExecutor) -> list[list[_Image]]:
    different = {record.image_id: record for record in job.records}
    decoded = dict(zip(different, pool.map(_decode, different.values()), strict=True))
    if job.device == "gpu":
        decoded = {name: _moved(pixels, job) for name, pixels in decoded.items()}
    return [[(decoded[record.image_id], record) for record in batch] for batch in job.batches]


def _decode(record: ImageRecord) -> Pixels:
    try:
        return decode(read_stream(record))
    except RejectError as error:
        raise DatasetError(f"an image cannot be decoded: {error}; measure on others") from error


def _moved(pixels: Pixels, job: Job) -> Pixels:
    """The image on the device, where a decoder there would have left it."""
    values = torch.as_tensor(pixels.values).to(job.torch_device)
    return Pixels(values, pixels.shift, pixels.reduce)
