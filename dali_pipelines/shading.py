"""The gray values of one image: its table, and how its own range is spread, for each use of it.

A recipe may cut out of one picture and find the breast on another (`RoiSettings.source`), and an
image whose header lacks the wanted view may be spread where others are not (`Voi.fallback`). What
that means for an image with this header is settled here, on the host; the window step applies it.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.grayscale import display_table, shows_stored
from dali_pipelines.pixel_settings import StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Grayscale, ImageRecord
from dali_pipelines.voi_settings import Voi

# Down, so that `value // 257` is what a cast of the spread image to uint8 gives: the levels of
# published ROI finders.
_LEAST_TO_GREATEST: Final = StretchSettings("percentiles", rounding="down")
_AS_IT_IS: Final = StretchSettings()


@dataclass(frozen=True, slots=True, eq=False)
class Shading:
    """A grayscale table (2**bits,) uint16 and the stretch after it; entry k is of bit pattern k.

    `stretch.curve` is "linear" or "sigmoid", whatever the header said.
    """

    table: NDArray[np.uint16]
    stretch: StretchSettings


@dataclass(frozen=True, slots=True, eq=False)
class ImageShading:
    """What is cut out (`display`), and what its box is found on (`roi`), None where it is that."""

    display: Shading
    roi: Shading | None = None


def image_shading(record: ImageRecord, recipe: Recipe) -> ImageShading:
    """How an image is shown under a recipe. RejectError: as `display_table`."""
    grayscale = counted_grayscale(record, recipe.voi)
    display = _display(grayscale, recipe)
    roi = _roi(grayscale, recipe)
    if roi is not None and roi.table is display.table and roi.stretch == display.stretch:
        roi = None
    return ImageShading(display, roi)


def counted_grayscale(record: ImageRecord, voi: Voi) -> Grayscale:
    """What counts of the header's grayscale: all of it, or no VOI LUT (`Voi.luts_of`)."""
    if voi.luts_of in record.tags.manufacturer:
        return record.grayscale
    return replace(record.grayscale, voi_luts=())


def _display(grayscale: Grayscale, recipe: Recipe) -> Shading:
    stretch = _with_curve_of(grayscale, recipe.stretch)
    if not shows_stored(grayscale, recipe.voi):
        return Shading(display_table(grayscale, recipe.voi), stretch)
    if recipe.voi.use != "stored" and stretch.use == "none":
        stretch = replace(stretch, use="percentiles", low=0.0, high=100.0)
    return Shading(_stored_table(grayscale, recipe.voi), stretch)


def _roi(grayscale: Grayscale, recipe: Recipe) -> Shading | None:
    """What the box is found on; None where it is what is cut out, or where none is looked for."""
    settings = recipe.roi
    looked_for = settings.method != "none" or settings.mirror != "none"
    if settings.source == "display" or not looked_for:
        return None
    stretch = _LEAST_TO_GREATEST if settings.source == "min-max" else _AS_IT_IS
    return Shading(_stored_table(grayscale, Voi("stored")), stretch)


def _stored_table(grayscale: Grayscale, voi: Voi) -> NDArray[np.uint16]:
    """The table of stored values: one for all headers of that form, whatever their windows."""
    form = Grayscale(
        grayscale.bits, grayscale.bits, signed=grayscale.signed, invert=grayscale.invert
    )
    return display_table(form, Voi("stored", polarity=voi.polarity))


def _with_curve_of(grayscale: Grayscale, stretch: StretchSettings) -> StretchSettings:
    if stretch.curve != "header":
        return stretch
    return replace(stretch, curve="sigmoid" if grayscale.function == "SIGMOID" else "linear")
