"""Writes the golden values anew: python -m tests.recipes ../shared/data/mammograms [RECIPE ...]."""

import sys
import tempfile
from pathlib import Path

from dali_pipelines.recipe import recipe_names
from tests.recipes.golden import golden_values, measure, prepare_file, write_golden_values
from tests.recipes.pictures import PHANTOMS, REAL, write_phantom


def main(folder: Path, recipes: list[str]) -> None:
    """Write those of `recipes`; those of others stay."""
    values = golden_values()
    with tempfile.TemporaryDirectory() as scratch:
        paths = {name: write_phantom(Path(scratch), name) for name in PHANTOMS}
        paths |= {name: folder / f"{name}.dcm" for name in REAL}
        for recipe in recipes:
            values[recipe] = {k: measure(prepare_file(v, recipe)) for k, v in paths.items()}
            write_golden_values(values)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or recipe_names())
