"""Crop, mirror, antialiased resize, pad and normalize: what the network sees.

Shrinking averages over the exact area of each output pixel, enlarging interpolates linearly
between pixel centers. All sums are float32 in a stated order (rows first, then columns, each from
the lowest source index of the mirrored box up), so that another device can repeat them to the bit.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.geometry import content_corner, content_size
from dali_pipelines.grayscale import DISPLAY_TOP
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi

# The most terms at a time, 2 MiB of them. Half or four times as many are as fast in one thread;
# fewer mean more calls, and after each a thread waits for the GIL where others want it.
_STRIP_TERMS: Final = 1 << 19


def resize(
    displays: Sequence[NDArray[np.uint16]],
    rois: Sequence[Roi],
    settings: ResizeSettings,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (N, C, H, W) float32 with the network's input from N display images (H', W').

    A display value v gives (v / 65535 - mean) / std; padding counts as v = 0, black.
    """
    scale = np.float32(1 / (DISPLAY_TOP * settings.std))
    black = np.float32(0) + np.float32(-settings.mean / settings.std)  # for a mean of 0 not -0
    for display, roi, canvas in zip(displays, rois, out, strict=True):
        height, width = content_size(roi, settings)
        top, left = content_corner((height, width), settings)
        canvas[0] = black
        content = canvas[0, top : top + height, left : left + width]
        _resize_box(display, roi, content)
        content *= scale
        content += black
        canvas[1:] = canvas[0]


def _resize_box(display: NDArray[np.uint16], roi: Roi, content: NDArray[np.float32]) -> None:
    """Fill `content` (h, w) with the box, mirrored if asked: display values 0 ... 65535."""
    box = display[roi.top : roi.bottom, roi.left : roi.right]
    rows, columns = _axis(box.shape[0], content.shape[0]), _axis(box.shape[1], content.shape[1])
    if roi.mirror:
        columns = _Axis(box.shape[1] - 1 - columns.sources, columns.weights)
    terms_a_row = max(len(rows.sources) * box.shape[1], columns.sources.size)
    step = max(1, _STRIP_TERMS // terms_a_row)
    for first in range(0, len(content), step):
        strip = slice(first, first + step)
        part = _Axis(rows.sources[:, strip], rows.weights[:, strip])
        content[strip] = _sum_columns(_sum_rows(box, part), columns)


class _Axis(NamedTuple):
    """For each of n output samples along one axis its K source samples and their weights, (K, n).

    The weights of one output sample add up to 1 before they are rounded to float32; unused places
    have weight 0.
    """

    sources: NDArray[np.int64]
    weights: NDArray[np.float32]


def _axis(count_in: int, count_out: int) -> _Axis:
    """How `count_out` samples come from `count_in`."""
    edges = np.arange(count_out + 1, dtype=np.float64) * count_in / count_out
    if count_out >= count_in:
        return _interpolating_axis(edges, count_in)
    starts = np.floor(edges[:-1]).astype(np.int64)
    most = int((np.ceil(edges[1:]).astype(np.int64) - starts).max())
    sources = starts + np.arange(most)[:, None]
    covered = np.minimum(sources + 1, edges[1:]) - np.maximum(sources, edges[:-1])
    weights = np.maximum(covered, 0) * (count_out / count_in)
    return _Axis(np.minimum(sources, count_in - 1), weights.astype(np.float32))


def _interpolating_axis(edges: NDArray[np.float64], count_in: int) -> _Axis:
    centers = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, count_in - 1)
    lower = np.floor(centers).astype(np.int64)
    share = centers - lower
    sources = np.stack([lower, np.minimum(lower + 1, count_in - 1)])
    return _Axis(sources, np.stack([1 - share, share]).astype(np.float32))


def _sum_rows(box: NDArray[np.uint16], axis: _Axis) -> NDArray[np.float32]:
    """(n, W) float32: each output row the weighted sum of its source rows."""
    first, last = int(axis.sources.min()), int(axis.sources.max())
    source = box[first : last + 1].astype(np.float32)
    terms = source.take(axis.sources - first, axis=0)
    terms *= axis.weights[:, :, None]
    return _add_up(terms)


def _sum_columns(image: NDArray[np.float32], axis: _Axis) -> NDArray[np.float32]:
    """(H, n) float32: each output column the weighted sum of its source columns."""
    terms = image.take(axis.sources, axis=1, mode="wrap")  # "wrap" is merely the fastest mode
    terms *= axis.weights
    return _add_up(terms.swapaxes(0, 1))


def _add_up(terms: NDArray[np.float32]) -> NDArray[np.float32]:
    """The sum over the first axis, term by term (a reduction may add in pairs); in terms[0]."""
    total: NDArray[np.float32] = terms[0]
    for term in terms[1:]:
        total += term
    return total
