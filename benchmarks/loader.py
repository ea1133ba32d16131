"""Images a second from DICOM to tensor on the CPU: our loader against a loop of pydicom.

Run: python -m benchmarks.loader [--size 3328x2560] [--images 8] [--repeats 5]

Both read the same full-size synthetic files in turn and give (N, 1, 1536, 768) float32 batches.
The loop does what most public training code does: pydicom decodes, applies the VOI, torch resizes.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom
import torch
from pydicom.pixels.processing import apply_voi_lut
from torch.nn import functional

from benchmarks.machine import machine_facts
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.loader import Loader
from dali_pipelines.manifest import to_records
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.records import ImageRecord

RESULT: Final = Path(__file__).parent / "results" / "loader.json"
SYNTAXES: Final = ("j2k", "jpeg_sv1", "htj2k", "jpegls", "rle", "raw")
PYDICOM_CANNOT: Final = {"htj2k"}  # of the decoders it finds here none reads HTJ2K
BATCH: Final = 4


def write_files(folder: Path, syntax: str, options: argparse.Namespace) -> list[ImageRecord]:
    """The records of `images` synthetic full-size files in one syntax."""
    height, width = (int(edge) for edge in options.size.split("x"))
    patients = -(-options.images // 4)
    exams = write_phantoms(folder, PhantomSettings(patients, 0.4, height, width, syntax))
    catalog = write_catalog(
        plan_catalog([exams.images], CatalogSettings(folder.parent / f"{syntax}.parquet"))
    )
    return to_records(catalog.frame)[: options.images]


def by_loader(records: Sequence[ImageRecord], recipe: Recipe) -> None:
    """All records once through the loader."""
    with Loader(records, recipe) as loader:
        for batch in loader.run(sequential_blocks(len(records), BATCH)):
            assert bool(batch.valid[: (batch.indices >= 0).sum()].all())


def by_pydicom(records: Sequence[ImageRecord], recipe: Recipe) -> None:
    """All records once through pydicom and torch, one after the other."""
    for record in records:
        dataset = pydicom.dcmread(record.location.path)
        display = apply_voi_lut(dataset.pixel_array, dataset).astype(np.float32)
        scaled = torch.from_numpy((display - display.min()) / np.ptp(display))
        functional.interpolate(scaled[None, None], recipe.size, mode="area")


def seconds(run: Callable[[], None]) -> float:
    """Wall seconds of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(records: Sequence[ImageRecord], repeats: int, *, pydicom_too: bool) -> dict[str, Any]:
    """Rates of both, in img/s, and the median of the ratio pair by pair; one warm-up of each."""
    recipe = load_recipe("default-1536")
    ours, theirs = [], []
    for _ in range(repeats + 1):
        ours.append(seconds(lambda: by_loader(records, recipe)))
        if pydicom_too:
            theirs.append(seconds(lambda: by_pydicom(records, recipe)))
    result: dict[str, Any] = {"loader_img_s": _rate(records, ours)}
    if pydicom_too:
        ratios = [b / a for a, b in zip(ours[1:], theirs[1:], strict=True)]
        result["pydicom_img_s"] = _rate(records, theirs)
        result["ratio"] = round(statistics.median(ratios), 2)
        result["ratio_range"] = [round(min(ratios), 2), round(max(ratios), 2)]
    return result


def _rate(records: Sequence[ImageRecord], times_s: Sequence[float]) -> float:
    return round(len(records) / statistics.median(times_s[1:]), 2)


def main() -> None:
    """Measure each syntax, write benchmarks/results/loader.json, print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", default="3328x2560")
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom's, about the values of tags
        for syntax in SYNTAXES:
            records = write_files(Path(scratch) / syntax, syntax, options)
            pydicom_too = syntax not in PYDICOM_CANNOT
            rows[syntax] = compare(records, options.repeats, pydicom_too=pydicom_too)
            print(f"{syntax:<9} {rows[syntax]}")
    shape = {key: getattr(options, key) for key in ("size", "images", "repeats")}
    content = {"machine": machine_facts(), **shape, "recipe": "default-1536", "rates": rows}
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
