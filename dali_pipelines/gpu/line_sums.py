"""Sums along the columns and rows of parts of images, on the device: what profiles are made of."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.device import current_device, empty, upload

Kind = Literal["levels", "bright", "changes"]

SEARCHERS: Final = 512  # of lines.cuh: threads of the kernels that search the lines of an image

_STRIP_ROWS: Final = 64  # of line_sums.cu
_ROWS_A_BLOCK: Final = 8  # of line_sums.cu
_IMAGE: Final = np.dtype(  # struct Image of lines.cuh
    [
        ("values", np.uint64),
        ("first", np.int64),
        ("height", np.int32),
        ("width", np.int32),
        ("above", np.int32),
        ("dark", np.int32),
    ]
)


class LineSums:
    """Sums of N images (H, W) uint16 along the lines of an area of each.

    `images` is what kernels read of each image, and `areas` (N, 4) int32 the top, bottom, left and
    right within which it is summed, first the whole frame; kernels may change both. `sums`
    (lines,) int64 hold for each image max(H, W) values, for whichever axis was summed last:

    - "levels": display values // 257; `squares` hold the sum of their squares;
    - "bright": how many display values are above `above`;
    - "changes": how many levels differ from the first of the line, where those up to `dark` are 0.
    """

    def __init__(self, displays: Sequence[torch.Tensor], above: int = 0, dark: int = -1) -> None:
        assert all(display.is_contiguous() for display in displays)
        shapes = np.array([display.shape for display in displays])
        ends = np.cumsum(shapes.max(axis=1))
        images = np.zeros(len(displays), _IMAGE)
        images["values"] = [display.data_ptr() for display in displays]
        images["first"] = ends - shapes.max(axis=1)
        images["height"], images["width"] = shapes.T
        images["above"], images["dark"] = above, dark
        self.images = upload(images)
        self.frames = np.zeros((len(displays), 4), np.int32)
        self.frames[:, 1], self.frames[:, 3] = shapes.T
        self.areas = upload(self.frames).view(torch.int32).view(-1, 4)
        self.sums, self.squares = (empty((int(ends[-1]),), torch.int64) for _ in range(2))
        self._most_rows, self._most_columns = shapes.max(axis=0).tolist()

    def __len__(self) -> int:
        return len(self.frames)

    def limit(self, areas: NDArray[np.int32]) -> None:
        """Sum within these areas (N, 4) from now on."""
        self.areas = upload(areas).view(torch.int32).view(-1, 4)

    def sum_columns(self, kind: Kind) -> None:
        """Queue the sums along the columns."""
        for sums in self._outputs(kind):
            sums.zero_()
        grid = (-(-self._most_columns // 256), -(-self._most_rows // _STRIP_ROWS), len(self))
        self._launch(f"column_{kind}", grid, kind)

    def sum_rows(self, kind: Kind) -> None:
        """Queue the sums along the rows."""
        self._launch(f"row_{kind}", (-(-self._most_rows // _ROWS_A_BLOCK), len(self)), kind)

    def _outputs(self, kind: Kind) -> tuple[torch.Tensor, ...]:
        return (self.sums, self.squares) if kind == "levels" else (self.sums,)

    def _launch(self, kernel: str, grid: tuple[int, ...], kind: Kind) -> None:
        arguments = (self.images, self.areas, *self._outputs(kind))
        current_device().launch("line_sums", kernel, grid, (256,), arguments)
