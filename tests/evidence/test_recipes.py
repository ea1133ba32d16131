"""Every recipe gives what it gave, and what its straight-line script gives, on real mammograms."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.recipe import load_recipe
from tests.recipes.comparison import Difference, compare, limit_of, run_script
from tests.recipes.golden import Golden, golden_values, measure, prepare_file
from tests.recipes.pictures import LOSSY, PHANTOMS, REAL, write_phantom

pytestmark = pytest.mark.slow

GOLDEN = golden_values()
FOUND: dict[str, dict[str, Difference]] = {}


@pytest.fixture(scope="module")
def paths(
    shared_data: Path, tmp_path_factory: pytest.TempPathFactory, full: bool
) -> dict[str, Path]:
    """All pictures; without the largest in the slice of CI."""
    folder = tmp_path_factory.mktemp("pictures")
    real = REAL if full else [name for name in REAL if name not in LOSSY]
    return {name: write_phantom(folder, name) for name in PHANTOMS} | {
        name: shared_data / "mammograms" / f"{name}.dcm" for name in real
    }


@pytest.mark.parametrize("recipe", GOLDEN)
def test_a_recipe_gives_its_golden_values_and_those_of_its_script(
    recipe: str, paths: dict[str, Path]
) -> None:
    found = {}
    for name, path in paths.items():
        ours = prepare_file(path, recipe)
        assert_golden(measure(ours), GOLDEN[recipe][name], lossy=name in LOSSY)
        found[name] = compare(ours, run_script(recipe, path, ours))
    FOUND[recipe] = found
    beyond = {n: d for n, d in found.items() if not d.within(limit_of(recipe, n))}
    assert beyond == {}


def assert_golden(measured: Golden, golden: Golden, lossy: bool) -> None:
    """Equal, but for values of lossy JPEG 2000, which builds of OpenJPEG round apart by 1."""
    if not lossy:
        assert measured == golden
        return
    assert (measured.box, measured.mirror) == (golden.box, golden.mirror)
    assert measured.mean == pytest.approx(golden.mean, abs=1e-3)
    assert measured.percentiles == pytest.approx(golden.percentiles, abs=0.02)


def test_the_differences_are_on_record(
    record_evidence: Callable[[str, dict[str, Any]], None],
) -> None:
    assert sorted(FOUND) == sorted(GOLDEN)
    facts = {
        recipe: {
            "hash": load_recipe(recipe).hash,
            **{name: apart._asdict() for name, apart in found.items()},
        }
        for recipe, found in FOUND.items()
    }
    record_evidence("recipes", {"ours_and_script": facts})
