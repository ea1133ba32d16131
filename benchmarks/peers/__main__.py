"""Our loader against what people do today: the same images, the same machine, the same run.

Run: python -m benchmarks.peers [--data FILE_OR_FOLDER]... [--images 8] [--repeats 5]

Without --data on synthetic mammograms of 3328 x 2560 px. Files are written anew in each syntax,
without loss, into a folder that is removed afterwards. A peer has as many processes as our loader
has threads: one a core. Peers need the packages of the `bench` extra.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from benchmarks.images import Images
from benchmarks.job import Job
from benchmarks.machine import ROOT, machine_facts
from benchmarks.peers.comparison import FAMILIES, PEERS, compare, measure_memory
from benchmarks.peers.pydicom_values import name_decoder
from benchmarks.peers.targets import judge_all
from benchmarks.target import target_line
from dali_pipelines.cores import core_count
from dali_pipelines.errors import MammoError
from dali_pipelines.recipe import load_recipe
from dali_pipelines.steps import choose_device

RESULT: Final = ROOT / "benchmarks" / "results" / "peers.json"
PACKAGES: Final = ("opencv-python-headless", "dicomsdl", "pylibjpeg-openjpeg", "python-gdcm")
LARGE_BATCH: Final = 8
LARGE_BATCHES: Final = 3  # in flight at once: one at the caller, the others on their way


def main() -> None:
    """Measure, write benchmarks/results/peers.json, print a line for each row."""
    options = _parse()
    document = run(options)
    options.out.write_text(json.dumps(document, indent=2) + "\n")
    print("\n".join(_lines(document)))


def run(options: argparse.Namespace) -> dict[str, Any]:
    """The whole result, ready for JSON: no path of an image is in it."""
    images = Images(tuple(options.data), _size(options.size), options.images)
    images.check([syntax for family in FAMILIES for syntax in family])
    device = choose_device(options.device)
    job = Job((), load_recipe(options.recipe), options.batch, core_count(), device)
    rows: dict[str, Any] = {}
    decoders: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for family in FAMILIES:
            _say(f"measuring {' and '.join(family)}")
            jobs = {
                syntax: replace(job, records=images.records(syntax, Path(scratch) / syntax))
                for syntax in family
            }
            decoders[family[0]] = name_decoder(jobs[family[0]].records[0].location.path)
            rows |= compare(jobs, options.repeats)
        memory = _memory(_size(options.memory_size), job, Path(scratch))
    about = _describe(options, images, job) | {"pydicom_decodes_with": decoders}
    found = {"settings": about, "rows": rows, "memory": memory}
    return {"machine": machine_facts(), **found, "targets": judge_all(found)}


def _memory(size: tuple[int, int], job: Job, scratch: Path) -> dict[str, Any]:
    """What the loader takes for large images, by syntax."""
    images = Images((), size, LARGE_BATCHES * LARGE_BATCH)
    job = replace(job, batch=LARGE_BATCH)
    _say(f"measuring memory on {size[0]}x{size[1]}")
    by_syntax = {
        syntax: measure_memory(images, syntax, job, scratch / f"large_{syntax}")
        for family in FAMILIES
        for syntax in family
    }
    return {"size": f"{size[0]}x{size[1]}", "batch": LARGE_BATCH, "loader": by_syntax}


def _describe(options: argparse.Namespace, images: Images, job: Job) -> dict[str, Any]:
    return {
        "device": job.device,
        "data": f"{len(images.sources)} sources" if images.sources else f"phantoms {options.size}",
        "images": images.count,
        "batch": job.batch,
        "threads": job.threads,
        "repeats": options.repeats,
        "recipe": job.recipe.name,
        "recipe_hash": job.recipe.hash,
        "peers": {name: _about(peer) for name, peer in PEERS.items()},
        "packages": _versions(),
    }


def _about(peer: ModuleType) -> dict[str, str]:
    """Whose way a peer goes, and what comes out of it."""
    return {"way": (peer.__doc__ or "").partition("\n")[0], "gives": peer.OUTPUT}


def _versions() -> dict[str, str]:
    """The versions of PACKAGES; "not installed" is a fact, too."""
    found = dict.fromkeys(PACKAGES, "not installed")
    for name in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """Each row against whom it was measured, the memory, and the table of targets."""
    for name, row in document["rows"].items():
        yield f"{name}: {row['loader']['img_s']['median']} img/s{_of_ours(row)}"
        for peer, theirs in row.get("peers", {}).items():
            yield f"    {_times(theirs)} {peer}"
    for syntax, taken in document["memory"]["loader"].items():
        yield f"memory, {document['memory']['size']} {syntax}: {taken['above_import_mib']} MiB"
    yield from map(target_line, document["targets"])


def _of_ours(row: dict[str, Any]) -> str:
    """How a row compares with another of our own, where it does."""
    if "share_of_bare_decoder" in row:
        return f", {row['share_of_bare_decoder']['median']} of the bare decoder"
    if "times_as_fast_as_default" in row:
        return f", {row['times_as_fast_as_default']['median']} x the default"
    return ""


def _times(theirs: dict[str, Any]) -> str:
    if "outcome" in theirs:
        return f"({theirs['outcome']})"
    times = theirs["times_as_fast"]
    return f"{times['median']} x ({times['min']} - {times['max']})"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _size(text: str) -> tuple[int, int]:
    """(H, W) px of "3328x2560"."""
    height, width = text.split("x")
    return int(height), int(width)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, action="append", default=[])
    parser.add_argument("--size", default="3328x2560")
    parser.add_argument("--memory-size", default="4096x3328")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipe", default="default-1536")
    parser.add_argument("--device", choices=("auto", "cpu", "gpu"), default="auto")
    parser.add_argument("--out", type=Path, default=RESULT)
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except MammoError as error:
        raise SystemExit(f"error: {error}") from error
