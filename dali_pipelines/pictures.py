"""What several recipes share of an image: the decoded picture, and the look at it.

Of the decoder a recipe only asks how many wavelet levels to leave out, and only JPEG 2000 and HTJ2K
of one frame have levels (`cpu/reduced_decode.py`). Recipes that show a picture alike and look for
the same box differ in no more than the last step, the resize.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dali_pipelines.decoder import Place
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded

_WITH_LEVELS: Final = ("j2k", "htj2k")


@dataclass(frozen=True, slots=True)
class Look:
    """A way to decode, show and crop images, which the recipes of these numbers have in common.

    `recipe` is the first of them.
    """

    recipe: Recipe
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """What was read for a place of a block and is to be decoded, and for which looks it is.

    `looks` are positions in `Pictures.looks`.
    """

    place: int
    item: Place
    looks: tuple[int, ...]


class Pictures:
    """What recipes, which are named by their numbers from 0, need of each image.

    `looks` go by their first recipe; `look_of` says for each recipe at which position its look is.
    """

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        alike = _grouped(_sight(recipe) for recipe in recipes)
        self.looks: Final = tuple(Look(recipes[numbers[0]], numbers) for numbers in alike)
        places = {number: k for k, numbers in enumerate(alike) for number in numbers}
        self.look_of: Final = tuple(places[number] for number in range(len(recipes)))
        self._by_levels = _grouped(_levels(look.recipe) for look in self.looks)

    def of(self, block: ReadBlock) -> list[Picture]:
        """The pictures of a block, by place: one or more for each, a reject or nothing also one."""
        return [
            picture for place, item in enumerate(block.encoded) for picture in self._of(place, item)
        ]

    def _of(self, place: int, item: Place) -> list[Picture]:
        every = tuple(range(len(self.looks)))
        if not isinstance(item, Encoded):
            return [Picture(place, item, every)]
        has_levels = item.record.stream.kind in _WITH_LEVELS and item.frames == 1
        return [
            Picture(place, replace(item, recipe=self.looks[group[0]].recipe), group)
            for group in (self._by_levels if has_levels else [every])
        ]


def _grouped(keys: Iterable[Hashable]) -> list[tuple[int, ...]]:
    """The positions of equal keys together, in the order of the first of each."""
    groups: defaultdict[Hashable, list[int]] = defaultdict(list)
    for position, key in enumerate(keys):
        groups[key].append(position)
    return [tuple(group) for group in groups.values()]


def _levels(recipe: Recipe) -> Hashable:
    """What is equal for recipes that are given the same picture of any image.

    How much "auto" leaves out hangs on the box and the size of the output, so on all of a recipe.
    """
    reduce = recipe.decode.reduce
    return recipe.hash if reduce == "auto" else reduce


def _sight(recipe: Recipe) -> Hashable:
    """What is equal for recipes that cut the same box out of the same display values."""
    return _levels(recipe), recipe.decode.cut, recipe.voi, recipe.stretch, recipe.roi
