"""What the loader reaches of the bare decoder's rate, and which of its settings suit the GPU."""

import dataclasses
from typing import Any, Final

from benchmarks import decode
from benchmarks.gpu.inputs import COMPRESSED, Inputs, Note
from benchmarks.job import Job
from benchmarks.passes import time_pass
from benchmarks.timing import spread
from benchmarks.tune import Bench, descend
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.records import ImageRecord

BATCH: Final = 8  # of training
_IMAGES: Final = 64
_OPTIONS: Final = {
    "batch": [0, 16, 32],
    "threads": [0, 8, 32],
    "readers": [2, 4],
    "prefetch": [2, 4],
}
_SCANNED: Final = "j2k"


def measure(inputs: Inputs, note: Note) -> None:
    """`scan`: settings tried; by syntax the loader against the bare decoder, round by round."""
    images = inputs.records(_SCANNED, _IMAGES // (2 if inputs.quick else 1))
    recipe = inputs.load_recipe()
    bench = Bench({_SCANNED: images}, recipe, "gpu", BATCH, repeats=1 if inputs.quick else 2)
    trials, best = descend(bench.trial, _OPTIONS)
    note("scan", [dataclasses.asdict(t.settings) | {"img_s": dict(t.img_s)} for t in trials])
    note("settings", dataclasses.asdict(best))
    for syntax in COMPRESSED:
        records = inputs.records(syntax, len(images))
        note(syntax, compare(records, dataclasses.replace(bench, repeats=inputs.repeats), best))


def compare(records: tuple[ImageRecord, ...], bench: Bench, best: LoaderSettings) -> dict[str, Any]:
    """Bare decoder and loader in turns, with as many images a call and threads of DALI's."""
    threads = min(max(best.resolved_threads(), 8), 16)  # as GpuDecoder has them
    job = Job(records, bench.recipe, max(best.batch, BATCH), threads, "gpu")
    rates: list[tuple[float, float]] = []
    with decode.open_pass(job) as decode_all, bench.open_pass(records, best) as load_all:
        decode_all()
        load_all()
        rates.extend(
            (time_pass(load_all, len(records)), time_pass(decode_all, len(records)))
            for _ in range(bench.repeats)
        )
    ours, bare = zip(*rates, strict=True)
    shares = [our / their for our, their in rates]
    return {"loader_img_s": spread(ours), "bare_img_s": spread(bare), "share": spread(shares)}
