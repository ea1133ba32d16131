"""One pass that prepares images under several recipes, against a pass for each recipe.

Run: python -m benchmarks.multi_recipe [--data FOLDER ...] [--syntax j2k ...] [--repeats 3]

Measures phantoms of 3328 x 2560 px, or the DICOM files of --data as they are stored. Both ways
make the same tensors with as many threads, in turns; loaders stay open from pass to pass. "ratio"
is how many times as fast the one pass is, "cpu_ratio" how many times the CPU seconds the others
take, which tells more where the machine has other work. Memory is that of all processes of a way,
where "a pass each" has as many loaders open as there are recipes.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks import loader
from benchmarks.apart import measure
from benchmarks.images import Images
from benchmarks.job import Contender, Job
from benchmarks.machine import machine_facts
from benchmarks.timing import Measurement, figures, ratios, spread
from dali_pipelines.cores import core_count
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.recipe import Recipe, load_recipe

RESULT: Final = Path(__file__).parent / "results" / "multi_recipe.json"
# The second looks at an image as the first does; the others have a box of their own.
RECIPES: Final = ("default-1536", "default-2048", "spr-1st", "rsna-1st-fixed")
NUMBERS: Final = (1, 2, 4)  # of recipes, the first ones
SYNTAXES: Final = ("j2k", "jpeg_sv1")
TOGETHER: Final = "one pass"
APART: Final = "a pass each"


@contextmanager
def open_one_pass(job: Job, recipes: Sequence[Recipe]) -> Iterator[Callable[[], None]]:
    """A pass of one loader for all recipes; errors as those of `loader.open_pass`."""
    settings = LoaderSettings(threads=job.threads)
    with MultiLoader(job.records, recipes, settings, job.device) as opened:

        def run() -> None:
            done = sum(int(batches[0].valid.sum()) for batches in opened.run(job.blocks))
            job.finish()
            loader.require_all(done, job, opened)

        yield run


@contextmanager
def open_passes(job: Job, recipes: Sequence[Recipe]) -> Iterator[Callable[[], None]]:
    """A pass of a loader for each recipe, one after the other."""
    with ExitStack() as stack:
        jobs = (Job(job.records, recipe, job.batch, job.threads, job.device) for recipe in recipes)
        passes = [stack.enter_context(loader.open_pass(one)) for one in jobs]

        def run() -> None:
            for run_pass in passes:
                run_pass()

        yield run


def compare(job: Job, recipes: Sequence[Recipe], repeats: int) -> dict[str, Any]:
    """The figures of both ways, and how the one pass stands against the others."""
    contenders = [
        Contender(name, partial(opener, recipes=tuple(recipes)), job, loader.libraries(job))
        for name, opener in ((TOGETHER, open_one_pass), (APART, open_passes))
    ]
    found = measure(contenders, repeats)
    together, apart = found[TOGETHER], found[APART]
    assert isinstance(together, Measurement)
    assert isinstance(apart, Measurement)
    return {
        "recipes": len(recipes),
        TOGETHER: figures(together, len(job.records), job.megapixels),
        APART: figures(apart, len(job.records), job.megapixels),
        "ratio": ratios(together, apart),
        "cpu_ratio": _cpu_ratio(together, apart),
    }


def _cpu_ratio(together: Measurement, apart: Measurement) -> dict[str, float] | None:
    """Round by round; None where CPU seconds are not known."""
    rounds = zip(together.samples, apart.samples, strict=True)
    found = [of_apart.cpu_s / one.cpu_s for one, of_apart in rounds if of_apart.cpu_s and one.cpu_s]
    return spread(found) if found else None


def main() -> None:
    """Measure each syntax, write benchmarks/results/multi_recipe.json, print a line for each."""
    options = _parse_options()
    height, width = (int(edge) for edge in options.size.split("x"))
    images = Images(tuple(options.data), (height, width), options.images)
    syntaxes = options.syntax or (images.default_syntaxes if options.data else SYNTAXES)
    images.check(syntaxes)
    recipes = [load_recipe(name) for name in RECIPES]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for syntax in syntaxes:
            records = images.records(syntax, Path(scratch) / syntax)
            job = Job(records, recipes[0], options.batch, core_count())
            for number in NUMBERS:
                row = {"syntax": syntax, **compare(job, recipes[:number], options.repeats)}
                rows.append(row)
                print(syntax, number, "recipes: ratio", row["ratio"], "CPU", row["cpu_ratio"])
    about = {
        "data": "files" if options.data else f"phantoms {options.size}",
        "images": options.images,
        "batch": options.batch,
        "threads": core_count(),
        "repeats": options.repeats,
        "recipes": {recipe.name: recipe.hash for recipe in recipes},
    }
    content = {"machine": machine_facts(), "settings": about, "rows": rows}
    options.out.write_text(json.dumps(content, indent=2) + "\n")


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, nargs="*", action="extend", default=[])
    parser.add_argument("--syntax", nargs="*", action="extend", default=[])
    parser.add_argument("--size", default="3328x2560", help="of synthetic images")
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--batch", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
