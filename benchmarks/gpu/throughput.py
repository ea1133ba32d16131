"""DALI's mixed decoder alone, at several batch sizes and numbers of threads."""

from typing import Final

from benchmarks import decode
from benchmarks.gpu.inputs import COMPRESSED, Inputs, Note
from benchmarks.job import Job
from benchmarks.passes import img_s
from benchmarks.timing import spread

SETTINGS: Final = ((1, 1), (8, 8), (16, 16), (32, 8), (32, 16))  # batch, threads
_IMAGES: Final = 64  # of a pass: two of the largest batches
_IMAGES_ONE_BY_ONE: Final = 16


def measure(inputs: Inputs, note: Note) -> None:
    """For each syntax and setting the images a second, codestreams in memory."""
    recipe = inputs.load_recipe()
    for syntax in COMPRESSED:
        for batch, threads in SETTINGS:
            count = _IMAGES_ONE_BY_ONE if batch == 1 else _IMAGES // (2 if inputs.quick else 1)
            job = Job(inputs.records(syntax, count), recipe, batch, threads, "gpu")
            with decode.open_pass(job) as run:
                rates = img_s(run, count, inputs.repeats)
            name = f"{syntax} batch {batch} threads {threads}"
            note(name, {"img_s": spread(rates), "mp": round(job.megapixels / count, 1)})
