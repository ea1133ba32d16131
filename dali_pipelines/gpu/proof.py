"""Which lossless JPEGs the GPU may have decoded wrong: bits that do not add up, constant images.

The pixels' half of `codestream/bit_budget.py`, in one launch for a whole batch. nvJPEG before
13.0.2 returns zeros in silence for precisions 9 to 15 and for tables that stand before the frame
(nvImageCodec, issue 50); and whatever is constant is too little evidence.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.codestream.bit_budget import Budget
from dali_pipelines.gpu.device import Download, current_device, empty, upload
from dali_pipelines.records import StreamInfo
from dali_pipelines.stages import Pixels

# The following are those of kernels/proof.cu.
_TILE_ROWS: Final = 32
_TILE_COLUMNS: Final = 256
_EXTREMES: Final = 2  # numbers of an image in the report, before its bits by interval
_TOP: Final = 0xFFFF
_IMAGE: Final = np.dtype(
    [
        ("values", np.uint64),
        ("first", np.int64),
        ("height", np.int32),
        ("width", np.int32),
        ("shift", np.int32),
        ("rows", np.int32),
        ("middle", np.int32),
        ("weights", np.int32, 4),
        ("costs", np.uint8, 17),
    ],
    align=True,
)

# Left, above and corner, and whether their sum is halved, by predictor (T.81 table H.1):
# Ra + ((Rb - Rc) >> 1), predictor 5, is (2 Ra + Rb - Rc) >> 1.
_WEIGHTS: Final = {
    1: (1, 0, 0, 0),
    2: (0, 1, 0, 0),
    3: (0, 0, 1, 0),
    4: (1, 1, -1, 0),
    5: (2, 1, -1, 1),
    6: (1, 2, -1, 1),
    7: (1, 1, 0, 1),
}


class Counted(NamedTuple):
    """What one image needs: `bits` (n,) int64 by restart interval; its extreme samples."""

    bits: NDArray[np.int64]
    lowest: int
    highest: int


class Proof:
    """What the decoded pixels of N images say against them; comes from the device by itself."""

    def __init__(self, report: torch.Tensor, budgets: Sequence[Budget]) -> None:
        self._download = Download(report)
        self._budgets = tuple(budgets)

    def doubtful(self) -> list[bool]:
        """For each image, whether it is constant or needs other bits than it has; waits for that.

        Its own decoder on the CPU is to settle the doubt.
        """
        return [
            counted.lowest == counted.highest or len(budget.unbalanced(counted.bits)) > 0
            for counted, budget in zip(self.counted, self._budgets, strict=True)
        ]

    @cached_property
    def counted(self) -> tuple[Counted, ...]:
        """The numbers of each image; waits for them. What has no code adds 2^40 bits or more."""
        report = self._download.get()
        counted = []
        for first, size in zip(*_places(self._budgets), strict=True):
            highest, below_top, *_ = numbers = report[first : first + size]
            bits = numbers[_EXTREMES:]
            counted.append(Counted(bits, _TOP - int(below_top), int(highest)))
        return tuple(counted)


def prove(
    pixels: Sequence[Pixels], budgets: Sequence[Budget], infos: Sequence[StreamInfo]
) -> Proof:
    """Count what N decoded images need of their budgets; nothing waits for the device.

    All are jpeg_lossless of one component, their values contiguous tensors (H, W) uint16 on the
    device, stored value = value >> shift, with the point transform undone.
    """
    assert len(pixels) == len(budgets)
    images = np.zeros(len(pixels), _IMAGE)
    images["first"], sizes = _places(budgets)
    report = empty((int(sizes.sum()),), torch.int64).zero_()
    for image, item, budget, info in zip(images, pixels, budgets, infos, strict=True):
        _describe(image, item, budget, info)
    if len(images):
        down = [len(b.bits) * -(-b.rows // _TILE_ROWS) for b in budgets]
        grid = (-(-int(images["width"].max()) // _TILE_COLUMNS), max(down), len(images))
        current_device().launch(
            "proof", "count_bits", grid, (_TILE_COLUMNS,), (upload(images), report)
        )
    return Proof(report, budgets)


def _places(budgets: Sequence[Budget]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where the numbers of each image begin in the report, and how many they are, both (N,)."""
    sizes = np.array([_EXTREMES + len(budget.bits) for budget in budgets], np.int64)
    return np.cumsum(sizes) - sizes, sizes


def _describe(image: np.void, item: Pixels, budget: Budget, info: StreamInfo) -> None:
    """Fill in what the kernel reads of one image, but for its place in the report."""
    values = item.values
    assert isinstance(values, torch.Tensor)
    assert values.shape == (info.height, info.width)
    assert values.dtype == torch.uint16
    assert values.is_contiguous()
    image["values"] = values.data_ptr()
    image["height"], image["width"] = values.shape
    image["shift"] = item.shift + info.point_transform
    image["rows"] = budget.rows
    image["middle"] = 1 << (info.precision - info.point_transform - 1)
    image["weights"] = _WEIGHTS[info.predictor]
    image["costs"] = budget.costs
