"""Crop, mirror, resize, pad and normalize: what the network sees.

`cpu/axis.py` says which px an output px is made of. All sums are float32 in a stated order (rows
first, then columns, each from the lowest source index of the mirrored box up), so that another
device can repeat them to the bit.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.axis import Axis, axis
from dali_pipelines.cpu.normalize import normalize, round_levels
from dali_pipelines.geometry import placement
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

    With nothing done per image a display value v gives (v / 65535 - mean) / std; padding counts as
    v = 0, black.
    """
    for display, roi, canvas in zip(displays, rois, out, strict=True):
        rows, columns = _axes(roi, settings)
        content = rows.place, columns.place
        if canvas[0][content].size < canvas[0].size:
            canvas[0] = 0
        _resize_box(display, roi, (rows, columns), canvas[0][content])
        round_levels(canvas[0][content], settings)
        normalize(canvas, settings)


def _axes(roi: Roi, settings: ResizeSettings) -> tuple[Axis, Axis]:
    """The rows and the columns of the output; sources count from the box's top and left."""
    down, across = placement(roi, settings)
    rows = axis(down, roi.height, settings.size[0], settings.filter)
    columns = axis(across, roi.width, settings.size[1], settings.filter)
    if roi.mirror:
        columns = columns._replace(sources=roi.width - 1 - columns.sources)
    return rows, columns


def _resize_box(
    display: NDArray[np.uint16], roi: Roi, axes: tuple[Axis, Axis], content: NDArray[np.float32]
) -> None:
    """Fill `content` (h, w) with what the box becomes: display values 0 ... 65535."""
    if content.size == 0:
        return
    box = display[roi.top : roi.bottom, roi.left : roi.right]
    rows, columns = axes
    terms_a_row = max(len(rows.sources) * box.shape[1], columns.sources.size)
    step = max(1, _STRIP_TERMS // terms_a_row)
    for first in range(0, len(content), step):
        strip = slice(first, first + step)
        part = Axis(first, rows.sources[:, strip], rows.weights[:, strip])
        content[strip] = _sum_columns(_sum_rows(box, part), columns)


def _sum_rows(box: NDArray[np.uint16], axis: Axis) -> NDArray[np.float32]:
    """(n, W) float32: each output row the weighted sum of its source rows."""
    first, last = int(axis.sources.min()), int(axis.sources.max())
    source = box[first : last + 1].astype(np.float32)
    terms = source.take(axis.sources - first, axis=0)
    terms *= axis.weights[:, :, None]
    return _add_up(terms)


def _sum_columns(image: NDArray[np.float32], axis: Axis) -> NDArray[np.float32]:
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
