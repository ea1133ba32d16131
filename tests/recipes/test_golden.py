"""Every recipe gives what it gave, and what its straight-line script gives, on one phantom.

`tests/evidence/test_recipes.py` asks the same of the others and of the real mammograms.
"""

from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.recipe import recipe_names
from tests.recipes.comparison import LIMITS, compare, limit_of, run_script
from tests.recipes.golden import golden_values, measure, prepare_file
from tests.recipes.pictures import PHANTOMS, REAL, write_phantom
from tests.recipes.prepared import Prepared

GOLDEN = golden_values()


PICTURE = "phantom-b-r-mlo"  # MONOCHROME1, SIGMOID, a right breast


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom(tmp_path_factory.mktemp("pictures"), PICTURE)


def test_every_recipe_has_golden_values_for_every_picture() -> None:
    assert sorted(GOLDEN) == sorted(LIMITS) == recipe_names()
    assert all(list(values) == [*PHANTOMS, *REAL] for values in GOLDEN.values())


@pytest.mark.parametrize("recipe", GOLDEN)
def test_a_recipe_gives_its_golden_values_and_those_of_its_script(recipe: str, path: Path) -> None:
    ours = prepare_file(path, recipe)
    assert measure(ours) == GOLDEN[recipe][PICTURE]
    difference = compare(ours, run_script(recipe, path, ours))
    assert difference.within(limit_of(recipe, PICTURE)), difference


@pytest.mark.parametrize("recipe", [name for name in GOLDEN if name.endswith("-fixed")])
def test_a_mended_bug_shows(recipe: str) -> None:
    kept = GOLDEN[recipe.removesuffix("-fixed")][PICTURE]
    assert kept.checksum != GOLDEN[recipe][PICTURE].checksum
    assert kept.mean != pytest.approx(GOLDEN[recipe][PICTURE].mean, abs=1e-5)


def test_golden_values_notice_a_change_of_one_level() -> None:
    image = np.full((1, 4, 4), 0.5, np.float32)
    golden = measure(Prepared((0, 4, 0, 4), False, image))
    image[0, 2, 2] += 1 / 255
    assert measure(Prepared((0, 4, 0, 4), False, image)).checksum != golden.checksum
    assert golden.percentiles == (0.5,) * 5
