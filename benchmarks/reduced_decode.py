"""What it saves to leave out wavelet levels, and what it does to the picture.

Run: python -m benchmarks.reduced_decode [--data FILE_OR_FOLDER ...] [--images 2] [--repeats 5]

Each image is written as lossless JPEG 2000 and as HTJ2K, decoded on one core at each level, and
prepared; what then differs from the whole image, averaged down, is given as PSNR: once with the
recipe's box, which another resolution finds some px away, and once of the full frame, where only
the values differ. Without --data the images are synthetic, which have less detail than real ones.
"""

import argparse
import json
import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.decode import read_stream
from benchmarks.images import Images
from benchmarks.machine import machine_facts
from benchmarks.timing import spread
from dali_pipelines.cpu.reduced_decode import decode_reduced
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.steps import load_steps

RESULT: Final = Path(__file__).parent / "results" / "reduced_decode.json"
SYNTAXES: Final = ("j2k", "htj2k")
WHOLE: Final = DecodeSettings()
REDUCED: Final = tuple(DecodeSettings(reduce) for reduce in (1, 2, 3, "auto"))

Tensor = NDArray[np.float32]


def decode_ms(encoded: Encoded, recipe: Recipe, repeats: int) -> dict[str, float]:
    """Wall milliseconds of one decode after a warm-up; for "auto" with all that it tries."""
    times_ms = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        decode_reduced(encoded, recipe)
        times_ms.append(1000 * (time.perf_counter() - start))
    return spread(times_ms[1:])


def prepare(pixels: Pixels, encoded: Encoded, recipe: Recipe) -> Tensor:
    """(1, H, W) float32, as a network sees it; 0 is black and 1 is white."""
    plain = replace(recipe, resize=replace(recipe.resize, mean=0.0, std=1.0, channels=1))
    out = np.empty((1, 1, *recipe.size), np.float32)
    shading = image_shading(encoded.record, plain)
    load_steps("cpu").prepare([pixels], [shading], plain, out)
    image: Tensor = out[0]
    return image


def psnr_db(image: Tensor, truth: Tensor) -> float | None:
    """Peak signal (1) to noise ratio over the px that are not black in `truth`; None if equal."""
    shown = truth > 0
    error = float(np.mean((image[shown].astype(np.float64) - truth[shown]) ** 2))
    return round(-10 * math.log10(error), 2) if error else None


def measure(encoded: Encoded, recipe: Recipe, repeats: int) -> list[dict[str, Any]]:
    """A row for each amount that may be left out of one image."""
    stream = encoded.record.stream
    framed = replace(recipe, roi=RoiSettings(method="none", mirror="none"))
    whole = decode_reduced(encoded, replace(recipe, decode=WHOLE))
    truth, framed_truth = (prepare(whole, encoded, view) for view in (recipe, framed))
    rows = []
    for settings in (WHOLE, *REDUCED):
        wanted = replace(recipe, decode=settings)
        pixels = decode_reduced(encoded, wanted)
        image, frame = (prepare(pixels, encoded, view) for view in (recipe, framed))
        rows.append(
            {
                "shape": [stream.height, stream.width],
                "precision": stream.precision,
                "bytes": len(encoded.data),
                "reduce": settings.reduce,
                "levels_left_out": pixels.reduce,
                "decode_ms": decode_ms(encoded, wanted, repeats),
                "psnr_db": psnr_db(image, truth),
                "full_frame_psnr_db": psnr_db(frame, framed_truth),
            }
        )
    return rows


def main() -> None:
    """Measure each image in each syntax, write the result, print a line for each row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, nargs="*", action="extend", default=[])
    parser.add_argument("--size", default="3328x2560", help="of synthetic images")
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--recipe", default="default-1536")
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    height, width = (int(edge) for edge in options.size.split("x"))
    images = Images(tuple(options.data), (height, width), options.images)
    recipe = load_recipe(options.recipe)
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for syntax in SYNTAXES:
            for number, record in enumerate(images.records(syntax, Path(scratch, syntax)), 1):
                for row in measure(read_stream(record), recipe, options.repeats):
                    rows.append({"syntax": syntax, "image": number, **row})
                    print(rows[-1])
    about = {"data": "files" if options.data else "phantoms", "repeats": options.repeats}
    content = {"machine": machine_facts(), **about, "recipe": recipe.name, "rows": rows}
    options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
