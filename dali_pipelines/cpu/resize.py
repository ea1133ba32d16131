"""Crop, mirror, antialiased resize, pad and normalize: what the network sees.

Shrinking averages over the exact area of each output pixel, enlarging interpolates linearly
between pixel centers. All sums are float32 in a stated order (rows first, then columns, each from
the lowest source index up), so that another device can repeat them to the bit.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.geometry import content_corner, content_size
from dali_pipelines.grayscale import DISPLAY_TOP
from dali_pipelines.recipe import ResizeSettings
from dali_pipelines.records import Roi


def resize(
    displays: Sequence[NDArray[np.uint16]],
    rois: Sequence[Roi],
    settings: ResizeSettings,
    out: NDArray[np.float32],
) -> None:
    """Fill `out` (N, C, H, W) float32 with the network's input from N display images (H', W').

    A display value v gives (v / 65535 - mean) / std; padding counts as v = 0, black.
    """
    for k, (display, roi) in enumerate(zip(displays, rois, strict=True)):
        content = resize_content(display, roi, content_size(roi, settings))
        top, left = content_corner(content.shape, settings)
        canvas = out[k]
        canvas[:] = 0
        canvas[:, top : top + content.shape[0], left : left + content.shape[1]] = content
        canvas *= np.float32(1 / (DISPLAY_TOP * settings.std))
        canvas += np.float32(-settings.mean / settings.std)


def resize_content(
    display: NDArray[np.uint16], roi: Roi, size: tuple[int, int]
) -> NDArray[np.float32]:
    """The box, mirrored if asked, resized to (h, w); display values 0 ... 65535 as float32."""
    box = display[roi.top : roi.bottom, roi.left : roi.right]
    if roi.mirror:
        box = box[:, ::-1]
    rows = _weighted_rows(box, *axis_weights(box.shape[0], size[0]))
    columns = _weighted_rows(rows.T, *axis_weights(box.shape[1], size[1]))
    return np.ascontiguousarray(columns.T)


def axis_weights(count_in: int, count_out: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each output sample of one axis: its source samples and their weights.

    Returns `sources` (count_out, K) and `weights` (count_out, K), each row adding up to 1 before
    the rounding to float32; unused places have weight 0.
    """
    edges = np.arange(count_out + 1, dtype=np.float64) * count_in / count_out
    if count_out >= count_in:
        return _linear_weights(edges, count_in)
    starts = np.floor(edges[:-1]).astype(np.int64)
    most = int((np.ceil(edges[1:]).astype(np.int64) - starts).max())
    sources = starts[:, None] + np.arange(most)
    covered = np.minimum(sources + 1, edges[1:, None]) - np.maximum(sources, edges[:-1, None])
    weights = np.maximum(covered, 0) * (count_out / count_in)
    return np.minimum(sources, count_in - 1), weights.astype(np.float32)


def _linear_weights(
    edges: NDArray[np.float64], count_in: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    centers = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, count_in - 1)
    lower = np.floor(centers).astype(np.int64)
    share = centers - lower
    sources = np.stack([lower, np.minimum(lower + 1, count_in - 1)], axis=1)
    return sources, np.stack([1 - share, share], axis=1).astype(np.float32)


def _weighted_rows(
    image: NDArray[np.uint16] | NDArray[np.float32],
    sources: NDArray[np.int64],
    weights: NDArray[np.float32],
) -> NDArray[np.float32]:
    """(count_out, W) float32: each output row the weighted sum of its source rows."""
    total = image[sources[:, 0]] * weights[:, 0, None]
    for k in range(1, sources.shape[1]):
        total += image[sources[:, k]] * weights[:, k, None]
    return total
