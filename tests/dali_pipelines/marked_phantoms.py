"""Phantoms with four soft spots of known places, and where the spots lie in a prepared image."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.phantom.patients import ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import draw_picture
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox
from dali_pipelines.stages import Roi
from dali_pipelines.storage.archive import Source

# Where the spots lie, as shares of the breast's height from above and of its width from the chest
# wall: the corners of two boxes, in tissue whatever the outline is.
PLACES: Final = ((0.37, 0.15), (0.62, 0.40), (0.45, 0.55), (0.55, 0.25))
_REACH: Final = 4  # standard deviations of a spot that lie on a plate of one value


@dataclass(frozen=True, slots=True)
class Marked:
    """Two files that differ in four spots alone, brighter and darker; `spots` (4, 2) in file px."""

    brighter: Path
    darker: Path
    spots: NDArray[np.float64]


def write_marked(folder: Path, settings: PhantomSettings, number: int, width_px: float) -> Marked:
    """Image `number` of the set, with spots of that standard deviation."""
    picture = draw_picture(settings, ImagePlan(draw_patient(settings, number // 4), number % 4))
    header = replace(picture.header, syntax=settings.syntax)
    spots = _spots(picture.breast, header.laterality == "L")
    tissue = float(np.median(picture.values[picture.breast]))
    ground = float(np.median(picture.values[~picture.breast]))
    paths = [folder / f"{number}-{name}.dcm" for name in ("brighter", "darker")]
    for path, sign in zip(paths, (1, -1), strict=True):
        values = picture.values.astype(np.float64)
        for row, column in spots:
            _stamp(values, (row, column), width_px, tissue, sign * (tissue - ground) / 6)
        write_dicom(path, np.rint(values).astype(np.uint16), header)
    return Marked(paths[0], paths[1], spots)


def find_spots(marked: Marked, recipe: Recipe) -> tuple[NDArray[np.float64], Roi]:
    """The centers (4, 2) of the spots in the network's image, (row, column), and its box.

    They are looked for in the pixels alone: each is a part of the difference of the two images,
    and the center the mean place of that part's px, weighed by the difference.
    """
    one, roi = _prepare(marked.brighter, recipe)
    other, same = _prepare(marked.darker, recipe)
    if roi != same:  # the spots were seen by what finds the box: cut out the same of both
        box = GivenBox(roi.top, roi.bottom, roi.left, roi.right, roi.mirror)
        other, same = _prepare(marked.darker, recipe, box)
    assert roi == same
    difference = np.abs(one - other)
    # each image may be spread by itself, which moves all other px a little
    lit = np.clip(difference - 0.3 * difference.max(), 0, None)
    parts, count = ndimage.label(lit > 0)
    assert count == len(PLACES), f"{count} spots"
    centers = ndimage.center_of_mass(lit, parts, range(1, count + 1))
    return np.array(centers) + 0.5, roi


def _prepare(
    path: Path, recipe: Recipe, box: GivenBox | None = None
) -> tuple[NDArray[np.float64], Roi]:
    record = replace(read_image(Source(str(path)), bytes(32), ReadOptions()), box=box)
    settings = LoaderSettings(readers=1, threads=1, isolation="thread")
    with Loader([record], recipe, settings, device="cpu") as loader:
        (batch,) = loader.run(sequential_blocks(1, 1))
    (roi,) = batch.rois
    assert roi is not None
    return batch.images[0, 0].double().numpy(), roi


def _spots(breast: NDArray[np.bool_], chest_left: bool) -> NDArray[np.float64]:
    """Fractional px, so that no rounding of ours can be right by chance."""
    rows, columns = (np.flatnonzero(breast.any(axis=axis)) for axis in (1, 0))
    (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
    down, across = np.array(PLACES).T
    across = across if chest_left else 1 - across
    return np.stack([top + down * (bottom - top), left + across * (right - left)], axis=1) + 0.3


def _stamp(
    values: NDArray[np.float64],
    center: tuple[float, float],
    width_px: float,
    level: float,
    height: float,
) -> None:
    """A round spot in the middle of a round plate of one level."""
    rows, columns = np.indices(values.shape) + 0.5
    squared = ((rows - center[0]) ** 2 + (columns - center[1]) ** 2) / width_px**2
    plate = squared < _REACH**2
    values[plate] = level + height * np.exp(-squared[plate] / 2)
