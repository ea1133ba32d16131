"""Golden values: numbers that tell whether a recipe still gives the same pixels.

They are those of the CPU's steps. `python -m tests.recipes FOLDER` writes them anew, FOLDER being
that of the real mammograms; what is written must then stand against the scripts.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.storage.archive import Source
from tests.recipes.prepared import Prepared

FILE: Final = Path(__file__).with_name("golden.json")
PERCENTILES: Final = (1, 25, 50, 75, 99)
STEPS: Final = 4096  # a checksum is of integers: the network's input in parts of this


class Golden(NamedTuple):
    """`mean` and `percentiles` are of what the network sees; `checksum` of it in 1/4096."""

    box: tuple[int, ...]
    mirror: bool
    mean: float
    percentiles: tuple[float, ...]
    checksum: str


def golden_values() -> dict[str, dict[str, Golden]]:
    """What is on file: recipe -> picture -> values."""
    content = json.loads(FILE.read_text("utf-8"))
    return {
        recipe: {picture: _from_json(values) for picture, values in pictures.items()}
        for recipe, pictures in content.items()
    }


def write_golden_values(values: dict[str, dict[str, Golden]]) -> None:
    """Replace what is on file."""
    lines = []
    for recipe, pictures in sorted(values.items()):
        inner = [f"    {json.dumps(k)}: {json.dumps(v._asdict())}" for k, v in pictures.items()]
        lines.append(f"  {json.dumps(recipe)}: {{\n" + ",\n".join(inner) + "\n  }")
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")


def measure(prepared: Prepared) -> Golden:
    """The golden values of one prepared image."""
    image = prepared.image.astype(np.float64)
    integers = np.rint(image * STEPS).astype("<i4")
    return Golden(
        box=tuple(int(edge) for edge in prepared.box),
        mirror=prepared.mirror,
        mean=round(float(image.mean()), 6),
        percentiles=tuple(round(float(p), 6) for p in _percentiles(prepared.image[0])),
        checksum=hashlib.sha256(integers.tobytes()).hexdigest()[:16],
    )


def prepare_file(path: Path, recipe: str | Recipe) -> Prepared:
    """What the loader makes of one file on the CPU."""
    chosen = load_recipe(recipe) if isinstance(recipe, str) else recipe
    record = read_image(Source(str(path)), bytes(32), ReadOptions())
    settings = LoaderSettings(readers=1, threads=1, isolation="thread")
    with Loader([record], chosen, settings, device="cpu") as loader:
        (batch,) = loader.run(sequential_blocks(1, 1))
        assert not list(loader.rejects)
    roi = batch.rois[0]
    assert roi is not None
    box = (roi.top, roi.bottom, roi.left, roi.right)
    return Prepared(box, roi.mirror, batch.images[0].float().numpy())


def _percentiles(image: NDArray[np.float32]) -> NDArray[Any]:
    return np.percentile(image, PERCENTILES, method="lower")


def _from_json(values: dict[str, Any]) -> Golden:
    values = {**values, "box": tuple(values["box"]), "percentiles": tuple(values["percentiles"])}
    return Golden(**values)
