"""What is done with the gray values of one image, in words, for the picture of `mammo preview`."""

from typing import Final

from dali_pipelines.grayscale import describe_voi, shows_stored
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Grayscale, ImageRecord
from dali_pipelines.shading import counted_grayscale, image_shading

_PASSED_OVER: Final = "; the LUTs of this maker do not count, as the recipe asks"


def gray_words(record: ImageRecord, recipe: Recipe) -> list[tuple[str, str]]:
    """(topic, words) in the order of the steps; words are "" where there is nothing to say."""
    voi = recipe.voi
    gray = counted_grayscale(record, voi)
    stored = shows_stored(gray, voi)
    return [
        ("modality", "not looked at: stored values are taken" if stored else _modality(gray)),
        ("window", describe_voi(gray, voi) + (_PASSED_OVER if gray != record.grayscale else "")),
        ("polarity", _polarity(record, recipe, stored=stored)),
        ("padding", _padding(gray, shown=stored or voi.padding == "ignored")),
        ("stretch", _stretch(record, recipe)),
    ]


def _modality(gray: Grayscale) -> str:
    if gray.modality_lut is not None:
        return f"a modality LUT of {len(gray.modality_lut.values):,} entries"
    if (gray.slope, gray.intercept) == (1, 0):
        return "stored values as they are: no rescale"
    return f"rescaled: slope {gray.slope:g}, intercept {gray.intercept:g}"


def _polarity(record: ImageRecord, recipe: Recipe, *, stored: bool) -> str:
    name = record.tags.photometric or "no photometric interpretation"
    if record.grayscale.invert and recipe.voi.polarity == "as-stored":
        return f"{name}: not inverted, as the recipe asks; background is bright"
    inverted = "inverted" if stored else "inverted after the window"
    done = inverted if record.grayscale.invert else "not inverted"
    return f"{name}: {done}, background is to be black"


def _padding(gray: Grayscale, shown: bool) -> str:
    if gray.padding is None:
        return "no value counts as padding"
    low, high = gray.padding
    values = f"stored value {low:,}" if low == high else f"stored values {low:,} to {high:,}"
    return f"{values}: {'shown like any other' if shown else 'shown black'}"


def _stretch(record: ImageRecord, recipe: Recipe) -> str:
    stretch = image_shading(record, recipe).display.stretch
    levels = "256 levels" if stretch.bits == 8 else ""
    if stretch.use == "none":
        return f"rounded down to {levels}" if levels else ""
    ends = f"percentiles {stretch.low:g} and {stretch.high:g}"
    between = "least and greatest" if stretch.to_extremes else ends
    curve = " along a sigmoid" if stretch.curve == "sigmoid" else ""
    return f"display values between the {between} spread out{curve}{levels and f', {levels}'}"
