"""Heat of several members, which saw an image each in its own way, on the px of its file."""

from collections.abc import Callable

import numpy as np
import pytest

from dali_pipelines.original_px import to_network
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Roi
from trainer.explain.explain import Explained, Seen

SHAPE = (120, 80)
PLACES = ((30.5, 50.5), (90.5, 20.5))  # in px of the file


def seen(recipe: Recipe, roi: Roi, place: tuple[float, float]) -> Seen:
    """What a member saw that looks at one place alone: a soft spot of 6 px of the file."""
    row, column = to_network(np.array(place), roi, recipe)
    rows, columns = np.indices(recipe.size) + 0.5
    sides = [roi.height / recipe.size[0], roi.width / recipe.size[1]]
    away = ((rows - row) * sides[0]) ** 2 + ((columns - column) * sides[1]) ** 2
    return Seen(np.exp(-away / 72).astype(np.float32), roi, recipe)


@pytest.fixture
def members() -> tuple[Seen, Seen]:
    """Two recipes, one of them mirrored, each with its own place."""
    large = Recipe("large", resize=ResizeSettings((60, 48), "stretch"))
    small = Recipe("small", resize=ResizeSettings((40, 36), "stretch"))
    return (
        seen(large, Roi(0, 120, 8, 80, mirror=True), PLACES[0]),
        seen(small, Roi(10, 110, 0, 70), PLACES[1]),
    )


def heat_of(
    record_of: Callable[..., ImageRecord], seen: tuple[Seen, ...], *shares: float
) -> np.ndarray:
    record = record_of(height=SHAPE[0], width=SHAPE[1])
    return Explained(record, 0.5, seen, np.array(shares)).heat(SHAPE)


def test_each_member_looks_at_its_place_of_the_file(
    record_of: Callable[..., ImageRecord], members: tuple[Seen, Seen]
) -> None:
    for member, place in zip(members, PLACES, strict=True):
        heat = heat_of(record_of, (member,), 1)
        assert heat.shape == SHAPE
        assert heat.max() == 1
        rows, columns = np.nonzero(heat > 0.9)
        assert (rows.mean() + 0.5, columns.mean() + 0.5) == pytest.approx(place, abs=1)


@pytest.mark.parametrize("shares", [(3, 1), (1, 3)])
def test_the_mean_is_weighed_and_its_hottest_px_is_1(
    record_of: Callable[..., ImageRecord], members: tuple[Seen, Seen], shares: tuple[int, int]
) -> None:
    heat = heat_of(record_of, members, *shares)
    at = [heat[int(row), int(column)] for row, column in PLACES]
    assert heat.max() == 1
    assert max(at) == pytest.approx(1, abs=0.03)
    assert min(at) == pytest.approx(1 / 3, abs=0.03)
    assert (at[0] > at[1]) == (shares[0] > shares[1])


def test_no_heat_of_any_is_none(
    record_of: Callable[..., ImageRecord], members: tuple[Seen, Seen]
) -> None:
    cold = tuple(member._replace(heat=0 * member.heat) for member in members)
    assert not heat_of(record_of, cold, 1, 1).any()
