"""A window of fixed size on the breast, not scaled, from the ideas of the NYU classifiers' papers.

The twin of `cpu/finders/window.py`: the same boxes; they stay on the device.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch

from dali_pipelines.gpu.boxes import DeviceRois
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.gpu.largest_part import largest_part
from dali_pipelines.gpu.line_sums import SEARCHERS, LineSums
from dali_pipelines.gpu.mirror import leans
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi

_STRIP_ROWS: Final = 256  # of erode.cu
_WARPS: Final = 8  # of erode.cu
_PICTURE: Final = np.dtype(  # struct Picture of erode.cu
    [
        ("values", np.uint64),
        ("distances", np.uint64),
        ("height", np.int32),
        ("width", np.int32),
    ]
)


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> Sequence[Roi]:
    """The box in each image of display values (H, W) uint16, and whether it is to be mirrored.

    It is at most as large as the window. `found` is False, and the box the full frame, where
    nothing outlives the erosion. Nothing waits for the device until an element of the result is
    looked at.
    """
    erode, margin = settings.window.erode, settings.window.margin
    boxes, _ = largest_part(_distances(displays, erode), above=erode, by="px")
    lines, lean = LineSums(displays), leans(displays, settings)
    launch, count = current_device().launch, len(displays)
    scalars = np.array([erode, margin, settings.mirrors_by_columns, count], np.int32)
    arguments = (lines.images, lean, *scalars, lines.areas, boxes)
    launch("window_box", "widen", (-(-count // 64),), (64,), arguments)
    _place(lines, lean, settings.window.size, boxes)
    return DeviceRois(boxes)


def _distances(displays: Sequence[torch.Tensor], steps: int) -> list[torch.Tensor]:
    """City block distances (H, W) uint16 from what is dark, above `steps` or exact."""
    distances = [empty(tuple(display.shape), torch.uint16) for display in displays]
    pictures = np.zeros(len(displays), _PICTURE)
    pictures["values"] = [display.data_ptr() for display in displays]
    pictures["distances"] = [distance.data_ptr() for distance in distances]
    pictures["height"], pictures["width"] = np.transpose([display.shape for display in displays])
    height, width = int(pictures["height"].max()), int(pictures["width"].max())
    launch, table = current_device().launch, upload(pictures)
    grid = (-(-width // 256), -(-height // _STRIP_ROWS), len(displays))
    launch("erode", "measure_columns", grid, (256,), (table, np.int32(steps)))
    launch("erode", "measure_rows", (-(-height // _WARPS), len(displays)), (256,), (table,))
    return distances


def _place(lines: LineSums, lean: torch.Tensor, size: tuple[int, int], boxes: torch.Tensor) -> None:
    """Queue what cuts the boxes to `size`, at the columns and then the rows that hold most."""
    launch, grid = current_device().launch, (len(lines),)
    height, width = np.int32(size[0]), np.int32(size[1])
    totals = empty(tuple(lines.sums.shape), torch.int64)
    lines.sum_columns("bright")
    by_columns = (lines.images, lean, lines.sums, totals, width, lines.areas, boxes)
    launch("window_box", "choose_columns", grid, (SEARCHERS,), by_columns)
    lines.sum_rows("bright")
    by_rows = (lines.images, lines.sums, totals, height, boxes)
    launch("window_box", "choose_rows", grid, (SEARCHERS,), by_rows)
