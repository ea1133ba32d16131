"""Places in what the network sees, in px of the file, and back: through resize, mirror and crop.

A place is (row, column) in continuous px: px i of an axis reaches from i to i + 1 and its center is
at i + 0.5, so the edges of a half-open box of whole px are its own numbers. A box is two places:
(top, left, bottom, right).

Without n wavelet levels a sample k stands at px k * 2**n of the file, the even ones of the px that
it was split from (T.800 F.3), and not in the middle of the 2**n px that it takes the place of.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.geometry import Side, placement
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Roi

Places = NDArray[np.float64]  # (..., 2) points or (..., 4) boxes


def to_file(places: Places, roi: Roi, recipe: Recipe) -> Places:
    """Points (..., 2) or boxes (..., 4) of the network's image in px of the file, the same shape.

    `roi` is what was cut out of it, in px of the file, as in `Batch.rois`. What lies in the padding
    comes out beside that box, and so perhaps beside the file.
    """
    decoded = _decoded(roi)
    rows, columns = placement(decoded, recipe.resize)
    points = _points(places)
    down = decoded.top + _source(points[..., 0], rows)
    across = _source(points[..., 1], columns)
    across = decoded.left + (decoded.width - across if roi.mirror else across)
    found = (np.stack([down, across], axis=-1) - 0.5) * 2**roi.reduce + 0.5
    return _as_given(found, places)


def to_network(places: Places, roi: Roi, recipe: Recipe) -> Places:
    """Points (..., 2) or boxes (..., 4) in px of the file in those of the network's image.

    The inverse of `to_file`. What was cut off comes out beside the network's image.
    """
    decoded = _decoded(roi)
    rows, columns = placement(decoded, recipe.resize)
    points = (_points(places) - 0.5) / 2**roi.reduce + 0.5
    down = _output(points[..., 0] - decoded.top, rows)
    across = points[..., 1] - decoded.left
    across = _output(decoded.width - across if roi.mirror else across, columns)
    return _as_given(np.stack([down, across], axis=-1), places)


def _decoded(roi: Roi) -> Roi:
    """A box in px of the file in those of the image as it was decoded: `Roi.enlarged` undone."""
    return replace(
        roi,
        top=roi.top >> roi.reduce,
        bottom=-(-roi.bottom >> roi.reduce),
        left=roi.left >> roi.reduce,
        right=-(-roi.right >> roi.reduce),
    )


def _source(outputs: Places, side: Side) -> Places:
    """Places along one axis of the network's image in px of the box, mirrored as it is there."""
    return (outputs - side.corner) * (side.count_in / side.count_out) - side.before


def _output(sources: Places, side: Side) -> Places:
    """The inverse of `_source`."""
    return (sources + side.before) * (side.count_out / side.count_in) + side.corner


def _points(places: Places) -> Places:
    """(..., k, 2): the one point that a place is, or the two corners of a box."""
    return places.reshape(*places.shape[:-1], places.shape[-1] // 2, 2)


def _as_given(points: Places, places: Places) -> Places:
    """Points (..., k, 2) in the shape of `places`; the corners of mirrored boxes in order again."""
    return np.sort(points, axis=-2).reshape(places.shape)
