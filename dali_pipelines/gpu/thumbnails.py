"""Images shrunk to the thumbnails that boxes are found on, on the GPU; `cpu/shrink.py` says how."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.thumbnail import Thumbnail

_THREADS: Final = 256  # of otsu.cu
_IMAGE: Final = np.dtype(  # struct Image of otsu.cu
    [
        ("values", np.uint64),
        ("levels", np.uint64),
        ("smooth", np.uint64),
        ("lit", np.uint64),
        ("source_height", np.int32),
        ("source_width", np.int32),
        ("height", np.int32),
        ("width", np.int32),
        ("rank", np.int32),
        ("unused", np.int32),
    ]
)


def shrink(displays: Sequence[torch.Tensor], small: Sequence[Thumbnail]) -> list[torch.Tensor]:
    """The levels 0 ... 255 of each thumbnail (h, w), uint8 on the device; nothing waits for it.

    Displays (H, W) uint16 are contiguous.
    """
    assert all(display.is_contiguous() for display in displays)
    levels = [empty((one.height, one.width), torch.uint8) for one in small]
    table = upload(describe(displays, small, levels))
    grid = (-(-max(image.numel() for image in levels) // _THREADS), len(displays))
    current_device().launch("otsu", "shrink", grid, (_THREADS,), (table,))
    return levels


def describe(
    displays: Sequence[torch.Tensor], small: Sequence[Thumbnail], levels: Sequence[torch.Tensor]
) -> NDArray[np.void]:
    """What the kernels of otsu.cu read of each image (N,), but for their memory after `levels`."""
    images = np.zeros(len(displays), _IMAGE)
    images["values"] = [display.data_ptr() for display in displays]
    images["levels"] = [image.data_ptr() for image in levels]
    images["source_height"], images["source_width"] = np.transpose(
        [display.shape for display in displays]
    )
    images["height"], images["width"] = np.transpose([(one.height, one.width) for one in small])
    images["rank"] = [one.rank for one in small]
    return images
