"""Milliseconds of each step of one image on the CPU, one image after another in one thread.

Run: python -m benchmarks.cpu_steps [--data FOLDER ...] [--syntax j2k ...] [--repeats 7]

Measures phantoms of 3328 x 2560 px, or the DICOM files of --data as they are stored, under the
recipe default-1536. An image goes through all steps before the next begins, as in the loader.
"library" is what the codec's library takes alone: "decode" checks and proves what it got.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import numpy as np

from benchmarks.decode import decode_bare, read_stream
from benchmarks.images import Images
from benchmarks.machine import machine_facts
from benchmarks.timing import spread
from dali_pipelines.cpu.decode import decode
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shading import image_shading
from dali_pipelines.steps import load_steps

P = ParamSpec("P")
R = TypeVar("R")

RESULT: Final = Path(__file__).parent / "results" / "cpu_steps.json"
RECIPE: Final = "default-1536"
SYNTAXES: Final = ("jpeg_sv1", "j2k", "htj2k", "jpegls", "rle", "raw")
STEPS: Final = ("read", "decode", "window", "roi", "resize")
LEAST_REPEATS: Final = 5  # fewer say nothing about the spread


class Stopwatch:
    """Milliseconds by step, added up over some images."""

    def __init__(self) -> None:
        self.ms: defaultdict[str, float] = defaultdict(float)

    def time(self, step: str, run: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
        """What `run` gives; the time it took is added to the step."""
        start = time.perf_counter_ns()
        result = run(*args, **options)
        self.ms[step] += (time.perf_counter_ns() - start) / 1e6
        return result


def time_pass(records: Sequence[ImageRecord], recipe: Recipe) -> dict[str, float]:
    """Milliseconds an image of each step and of the library, and of all steps together."""
    steps, watch = load_steps("cpu"), Stopwatch()
    out = np.empty((1, recipe.channels, *recipe.size), np.float32)
    for record in records:
        shadings = [image_shading(record, recipe).display]
        encoded = watch.time("read", read_stream, record)
        watch.time("library", decode_bare, encoded)
        pixels = watch.time("decode", decode, encoded)
        displays = watch.time("window", steps.window, [pixels], shadings)
        rois = watch.time("roi", steps.roi, displays, recipe.roi)
        watch.time("resize", steps.resize, displays, rois, recipe.resize, out)
    times_ms = {step: watch.ms[step] / len(records) for step in ("library", *STEPS)}
    return {**times_ms, "all steps": sum(times_ms[step] for step in STEPS)}


def measure(records: Sequence[ImageRecord], repeats: int) -> dict[str, Any]:
    """The row of one syntax: median and spread of `repeats` passes, after one to warm up."""
    recipe = load_recipe(RECIPE)
    passes = [time_pass(records, recipe) for _ in range(repeats + 1)][1:]
    pixels = sum(record.stream.height * record.stream.width for record in records)
    return {
        "images": len(records),
        "megapixels": round(pixels / len(records) / 1e6, 2),
        "ms": {step: spread([times[step] for times in passes]) for step in passes[0]},
    }


def parse_options() -> argparse.Namespace:
    """The command line; it ends the program where a value makes no sense."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, nargs="+", default=[])
    parser.add_argument("--syntax", nargs="+", default=[])
    parser.add_argument("--size", default="3328x2560", help="of a phantom")
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    if options.repeats < LEAST_REPEATS:
        parser.error(f"--repeats must be at least {LEAST_REPEATS}")
    return options


def main() -> None:
    """Measure each syntax, write benchmarks/results/cpu_steps.json, print a line for each."""
    options = parse_options()
    height, width = (int(edge) for edge in options.size.split("x"))
    images = Images(tuple(options.data), (height, width), options.images)
    syntaxes = options.syntax or (images.default_syntaxes if options.data else SYNTAXES)
    images.check(syntaxes)
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for syntax in syntaxes:
            records = images.records(syntax, Path(scratch) / syntax)
            rows[syntax] = measure(records, options.repeats)
            medians = {step: times["median"] for step, times in rows[syntax]["ms"].items()}
            print(f"{syntax:<14}", *(f"{step} {ms:6.1f}" for step, ms in medians.items()))
    shape = {"recipe": RECIPE, "repeats": options.repeats, "phantoms": not options.data}
    content = {"machine": machine_facts(), **shape, "syntaxes": rows}
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
