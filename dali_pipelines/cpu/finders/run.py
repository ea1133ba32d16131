"""The box of the longest runs of columns, then of rows, that are not constant (Mammo-CLIP)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.roi_settings import LEVEL_STEP, RoiSettings, RunSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> list[Roi]:
    """The box in each image of display values (H, W) uint16; the full frame where none varies."""
    return [_find_box(display, settings.run) for display in displays]


def _find_box(display: NDArray[np.uint16], settings: RunSettings) -> Roi:
    # Not constant is what a standard deviation other than 0 says, without its rounding.
    levels = (display // LEVEL_STEP).astype(np.uint8)
    levels[levels <= settings.level] = 0
    rows = levels[slice(*settings.central_part(display.shape[0]))]
    left, right = _longest_run((rows != rows[0]).any(axis=0))
    columns = slice(*(left + edge for edge in settings.central_part(right - left)))
    middle = levels[:, columns]
    top, bottom = _longest_run((middle != middle[:, :1]).any(axis=1))
    return Roi(top, bottom, left, right)


def _longest_run(varies: NDArray[np.bool_]) -> tuple[int, int]:
    """The ends [first, after) of the first run that counts most; all where nothing varies."""
    count = len(varies)
    steps = np.flatnonzero(np.diff(np.concatenate([[False], varies, [False]])))
    starts, ends = steps[::2], steps[1::2]
    if not len(starts):
        return 0, count
    longest = int((ends - starts - (starts == 0) - (ends == count)).argmax())
    return int(starts[longest]), int(ends[longest])
