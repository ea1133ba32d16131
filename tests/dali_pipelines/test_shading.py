"""Which table and which stretch an image gets, from its header and the recipe."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.grayscale import display_table
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Grayscale, ImageRecord, Lut, Window
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shading import ImageShading, image_shading
from dali_pipelines.stages import Pixels
from dali_pipelines.steps import load_steps
from dali_pipelines.verdicts import RejectError
from dali_pipelines.voi_settings import Voi

WINDOWED = Grayscale(12, 12, windows=(Window(2048, 1000),), invert=True)
BARE = Grayscale(12, 12, function="SIGMOID", invert=True)
MIN_MAX = StretchSettings("percentiles", rounding="down")
BY_COLUMNS = RoiSettings("none", "min-max", mirror_by="columns")


@pytest.fixture
def shading_of(record_of: Callable[..., ImageRecord]) -> Callable[..., ImageShading]:
    """shading_of(grayscale, recipe, manufacturer=...) -> what an image with that header gets."""

    def make(grayscale: Grayscale, recipe: Recipe, **tags: str) -> ImageShading:
        return image_shading(replace(record_of(**tags), grayscale=grayscale), recipe)

    return make


def test_a_plain_recipe_takes_the_table_of_the_header(shading_of):
    recipe = Recipe("plain")
    shading = shading_of(WINDOWED, recipe)
    assert shading.display.table is display_table(WINDOWED, recipe.voi)
    assert shading.display.stretch == recipe.stretch
    assert shading.roi is None


def test_images_without_the_wanted_view_are_spread_from_their_stored_values(shading_of):
    recipe = Recipe("min-max", voi=Voi("window", fallback="min-max"))
    assert shading_of(WINDOWED, recipe).display.stretch.use == "none"
    display = shading_of(BARE, recipe).display
    assert display.table.tolist() == list(range(4095, -1, -1))
    assert display.stretch == StretchSettings("percentiles")
    with pytest.raises(RejectError):
        shading_of(BARE, replace(recipe, voi=Voi("window", fallback="reject")))


def test_the_fallback_keeps_what_the_recipe_says_of_the_spread(shading_of):
    stretch = StretchSettings(rounding="down", bits=8)
    recipe = Recipe("min-max", voi=Voi("lut", fallback="min-max"), stretch=stretch)
    assert shading_of(BARE, recipe).display.stretch == replace(stretch, use="percentiles")
    clipped = replace(recipe, stretch=StretchSettings("percentiles", 1, 99))
    assert shading_of(BARE, clipped).display.stretch == clipped.stretch


@pytest.mark.parametrize(("function", "curve"), [("SIGMOID", "sigmoid"), ("LINEAR", "linear")])
def test_the_curve_may_be_that_of_the_header(function, curve, shading_of):
    stretch = StretchSettings("percentiles", curve="header")
    recipe = Recipe("mirai", voi=Voi("stored", polarity="as-stored"), stretch=stretch)
    display = shading_of(replace(BARE, function=function), recipe).display
    assert display.stretch.curve == curve
    assert display.table.tolist() == list(range(4096))


@pytest.mark.parametrize(
    ("source", "stretch"), [("min-max", MIN_MAX), ("stored", StretchSettings())]
)
def test_the_box_may_be_found_on_another_picture(source, stretch, shading_of):
    roi = shading_of(WINDOWED, Recipe("other", roi=RoiSettings(source=source))).roi
    assert roi is not None
    assert roi.table.tolist() == list(range(4095, -1, -1))
    assert roi.stretch == stretch


def test_no_other_picture_is_made_where_none_is_looked_at(shading_of):
    nothing = RoiSettings("none", "min-max", mirror="none")
    assert shading_of(WINDOWED, Recipe("whole", roi=nothing)).roi is None
    assert shading_of(WINDOWED, Recipe("turned", roi=BY_COLUMNS)).roi is not None


def test_no_other_picture_is_made_where_it_would_be_the_same(shading_of):
    recipe = Recipe("spr", voi=Voi("stored"), stretch=MIN_MAX, roi=RoiSettings(source="min-max"))
    assert shading_of(WINDOWED, recipe).roi is None
    assert shading_of(WINDOWED, replace(recipe, stretch=StretchSettings())).roi is not None


def test_stored_values_of_one_form_share_a_table_whatever_their_windows(shading_of):
    recipe = Recipe("stored", voi=Voi("stored"))
    tables = [shading_of(item, recipe).display.table for item in (WINDOWED, BARE)]
    assert tables[0] is tables[1]


def test_luts_count_only_in_images_of_the_maker_that_the_recipe_names(shading_of):
    lut = Lut(0, 12, np.arange(4096, dtype="<u2").tobytes())
    grayscale = Grayscale(12, 12, voi_luts=(lut,))
    recipe = Recipe("mirai", voi=Voi("lut", fallback="min-max", luts_of="GE"))
    stretches = {
        maker: shading_of(grayscale, recipe, manufacturer=maker).display.stretch.use
        for maker in ("GE MEDICAL SYSTEMS", "LORAD, A Hologic Company", "")
    }
    assert list(stretches.values()) == ["none", "percentiles", "percentiles"]
    anyone = replace(recipe, voi=Voi("lut", fallback="min-max"))
    assert shading_of(grayscale, anyone, manufacturer="").display.stretch.use == "none"


def breast_at_right():
    """Bright at the right, and around it an edge of 3 px that is brighter still at the left."""
    values = np.full((60, 50), 10, np.uint16)
    values[20:40, 30:] = 900
    values[:, :3] = values[:3] = values[-3:] = 4095
    return values


def test_the_steps_cut_the_edge_first_and_find_on_the_source(shading_of):
    recipe = Recipe(
        "steps",
        decode=DecodeSettings(cut=3),
        voi=Voi("stored"),
        roi=RoiSettings("none", "min-max", mirror_by="columns"),
        resize=ResizeSettings((54, 44), "stretch", mean=0.0, std=1.0),
    )
    grayscale = Grayscale(12, 12)
    out = np.zeros((1, 1, 54, 44), np.float32)
    pixels = [Pixels(breast_at_right())]
    (box,) = load_steps("cpu").prepare(pixels, [shading_of(grayscale, recipe)], recipe, out)
    assert (box.top, box.bottom, box.left, box.right) == (0, 54, 0, 44)
    shown = np.rint(out[0, 0] * 65535).astype(int)
    inner = breast_at_right()[3:-3, 3:-3]
    assert np.array_equal(shown, inner[:, ::-1] if box.mirror else inner)
