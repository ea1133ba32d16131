"""Which recipes share a decoded picture, and which of those the box that is cut out of it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.pictures import Pictures
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi

PLAIN = Recipe("plain")
LARGER = replace(PLAIN, name="larger", resize=ResizeSettings(size=(2048, 1024), fit="stretch"))
CUT = replace(PLAIN, name="cut", decode=DecodeSettings(cut=5))
HALVES = replace(PLAIN, name="halves", decode=DecodeSettings(1))
AUTO = replace(PLAIN, name="auto", decode=DecodeSettings("auto"))
LARGER_AUTO = replace(LARGER, decode=DecodeSettings("auto"))


def pictures_of(recipes: list[Recipe], *items: object) -> list[tuple[int, str, tuple[int, ...]]]:
    """(place, the recipe it is decoded for, looks) of each picture."""
    block = ReadBlock(np.zeros(len(items), np.int64), list(items))
    return [
        (one.place, getattr(getattr(one.item, "recipe", None), "name", ""), one.looks)
        for one in Pictures(recipes).of(block)
    ]


def test_recipes_that_differ_in_the_resize_look_alike() -> None:
    pictures = Pictures([PLAIN, CUT, LARGER])
    assert [(look.recipe.name, look.numbers) for look in pictures.looks] == [
        ("plain", (0, 2)),
        ("cut", (1,)),
    ]
    assert pictures.look_of == (0, 1, 0)


@pytest.mark.parametrize(
    "other",
    [
        CUT,
        HALVES,
        AUTO,
        replace(PLAIN, voi=Voi("stored")),
        replace(PLAIN, stretch=StretchSettings(bits=8)),
        replace(PLAIN, roi=RoiSettings(mirror="none")),
    ],
)
def test_all_else_is_a_look_of_its_own(other: Recipe) -> None:
    assert len(Pictures([PLAIN, other]).looks) == 2


@pytest.mark.parametrize("syntax", ["j2k", "htj2k"])
def test_each_number_of_levels_is_a_picture(syntax: str, encoded_of: Callable) -> None:
    item = encoded_of(np.arange(256, dtype=np.uint16).reshape(16, 16), syntax, 12)
    recipes = [HALVES, PLAIN, CUT, AUTO, LARGER_AUTO]
    assert pictures_of(recipes, item, item) == [
        (place, name, looks)
        for place in (0, 1)
        for name, looks in (
            ("halves", (0,)),
            ("plain", (1, 2)),
            ("auto", (3,)),
            ("larger", (4,)),
        )
    ]


@pytest.mark.parametrize("syntax", ["raw", "rle", "jpegls", "jpeg_sv1"])
def test_other_codestreams_are_one_picture_for_all(syntax: str, encoded_of: Callable) -> None:
    item = encoded_of(np.arange(256, dtype=np.uint16).reshape(16, 16), syntax, 12)
    assert pictures_of([HALVES, PLAIN, AUTO], item) == [(0, "halves", (0, 1, 2))]


def test_the_maximum_over_frames_is_one_picture_for_all(encoded_of: Callable) -> None:
    item = encoded_of(np.zeros((16, 16), np.uint16), "j2k", 12)
    frames = replace(item, sizes=(len(item.data) // 2,) * 2)
    assert pictures_of([HALVES, PLAIN], frames) == [(0, "halves", (0, 1))]


def test_what_was_not_read_is_in_its_place_for_all() -> None:
    error = RejectError(Reason.IO, "gone")
    assert pictures_of([HALVES, PLAIN], error, None) == [(0, "", (0, 1)), (1, "", (0, 1))]
