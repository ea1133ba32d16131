"""The rate of the SPR winner's way on one core, on the same JPEG 2000 images."""

from typing import Final

from benchmarks.gpu.inputs import Inputs, Note
from benchmarks.job import Job
from benchmarks.passes import img_s
from benchmarks.peers import spr
from benchmarks.peers.pydicom_values import name_decoder
from benchmarks.timing import spread
from dali_pipelines.recipe import Recipe

SYNTAX: Final = "j2k"
_IMAGES: Final = 4  # about 3 s each


def measure(inputs: Inputs, note: Note) -> None:
    """`img_s` of one process, and what decodes for it."""
    records = inputs.records(SYNTAX, 2 if inputs.quick else _IMAGES)
    note("decoder", name_decoder(records[0].location.path))
    with spr.open_pass(Job(records, Recipe("unused"), batch=1, threads=1)) as run:
        note("img_s", spread(img_s(run, len(records), 1)))
