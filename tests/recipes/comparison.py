"""A recipe against its script on one file: how far apart they are, and how far they may be."""

import importlib
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from dali_pipelines.recipe import load_recipe
from tests.recipes import default
from tests.recipes.pictures import WITHOUT_WINDOW, read
from tests.recipes.prepared import Prepared

LEVEL: Final = 1 / 255


class Limit(NamedTuple):
    """What a recipe may differ by; `largest` and `mean` are shares of the range of its values.

    `box_px` is of the edge that differs most, `largest` of the px, `mean` over all px.
    """

    box_px: int
    largest: float
    mean: float


# Two roundings to 1/65535, of the display value and of its stretch, where a script keeps floats.
_ROUNDED: Final = Limit(0, 5e-5, 1.5e-5)
# OpenCV's INTER_AREA leaves out shares of a px below 1e-3.
_OURS: Final = Limit(0, 1e-3, 5e-6)

# In 8 bits such a difference is a level where a value lies next to a tie: seldom, and one level
# only. Levels are of less than all 256 where each image is spread once more.
LIMITS: Final = {
    "default-1536": _OURS,
    "default-2048": _OURS,
    "demo": _OURS,
    "gavranovic": Limit(0, 2.4 * LEVEL, 7e-4),  # OpenCV's 8-bit linear cuts products off
    "gavranovic-fixed": Limit(0, 2.4 * LEVEL, 7e-4),
    "lecture": Limit(0, 1.1 * LEVEL, 1e-5),
    "mammo-clip": Limit(0, 1.4 * LEVEL, 1e-6),
    "mirai": _ROUNDED,
    "mirai-fixed": _ROUNDED,
    "nyu": _ROUNDED,
    "rsna-1st": Limit(0, 1.2 * LEVEL, 5e-6),
    "rsna-1st-fixed": Limit(0, 1.2 * LEVEL, 5e-6),
    "spr-1st": Limit(0, 1.1 * LEVEL, 1e-6),
    "stemgene": Limit(0, 1.3 * LEVEL, 5e-4),  # Pillow rounds to 8 bits between its two passes
}
# Where the YAML names a departure that these pictures show.
_SPREAD: Final = Limit(0, 0.11, 0.025)  # over the whole image, not over the box
EXCEPTIONS: Final = {
    ("mammo-clip", "OutOfBoundsOverlay"): Limit(0, 0.2, 3e-3),  # INTER_AREA enlarging
    ("rsna-1st", WITHOUT_WINDOW): _SPREAD,
    ("rsna-1st-fixed", WITHOUT_WINDOW): _SPREAD,
}


class Difference(NamedTuple):
    """How far ours is from the script's; as in Limit. `mirror`: whether both or neither flip."""

    box_px: int
    largest: float
    mean: float
    mirror: bool

    def within(self, limit: Limit) -> bool:
        """Whether no number passes its limit."""
        return self.mirror and all(a <= b for a, b in zip(self[:3], limit, strict=True))


def limit_of(recipe: str, picture: str) -> Limit:
    """What a recipe may differ by on one of the pictures."""
    return EXCEPTIONS.get((recipe, picture), LIMITS[recipe])


def compare(ours: Prepared, theirs: Prepared) -> Difference:
    """The difference between the loader's image and the script's, of one file."""
    assert ours.image.shape == theirs.image.shape
    apart = np.abs(ours.image.astype(np.float64) - theirs.image) / np.ptp(theirs.image)
    edges = np.abs(np.subtract(ours.box, theirs.box))
    return Difference(
        int(edges.max()), float(apart.max()), float(apart.mean()), ours.mirror == theirs.mirror
    )


def run_script(recipe: str, path: Path, ours: Prepared) -> Prepared:
    """What the recipe's script makes of a file; those of our own method are given its box."""
    stored, header = read(path)
    if load_recipe(recipe).roi.method == "auto":
        return default.prepare(stored, header, load_recipe(recipe).size, ours.box, ours.mirror)
    script = importlib.import_module(f"tests.recipes.{recipe.replace('-', '_')}")
    prepared: Prepared = script.prepare(stored, header)
    return prepared
