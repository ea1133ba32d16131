"""The largest contour above Otsu's threshold on a thumbnail, on the GPU: RSNA 2023's winner.

The twin of `cpu/finders/otsu.py`, with its integers and its doubles.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.boxes import DeviceRois
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.gpu.largest_part import Frame, largest_part
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.thumbnail import Thumbnail, thumbnail

_THREADS: Final = 256  # these are those of otsu.cu
_BINARIZE_THREADS: Final = 1024
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


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> DeviceRois:
    """The box of the largest contour in each image (`OtsuSettings`)."""
    small = [thumbnail(tuple(display.shape), settings.otsu) for display in displays]
    frames = [
        Frame(display.shape[0], display.shape[1], one.scale, one.least_half_squares)
        for display, one in zip(displays, small, strict=True)
    ]
    boxes, _ = largest_part(_binarized(displays, small), 0, "area", frames)
    return DeviceRois(boxes)


def _binarized(displays: Sequence[torch.Tensor], small: Sequence[Thumbnail]) -> list[torch.Tensor]:
    """Thumbnails (h, w) uint16, 1 where px are bright and around those, else 0."""
    assert all(display.is_contiguous() for display in displays)
    lit = [empty((one.height, one.width), torch.uint16) for one in small]
    scratch = [empty((2, one.height, one.width), torch.uint8) for one in small]
    images = _describe(displays, small)
    images["levels"] = [levels[0].data_ptr() for levels in scratch]
    images["smooth"] = [levels[1].data_ptr() for levels in scratch]
    images["lit"] = [image.data_ptr() for image in lit]
    table, launch = upload(images), current_device().launch
    largest = max(image.numel() for image in lit)
    grid = (-(-largest // _THREADS), len(displays))
    launch("otsu", "shrink", grid, (_THREADS,), (table,))
    launch("otsu", "binarize", (len(displays),), (_BINARIZE_THREADS,), (table,))
    return lit


def _describe(displays: Sequence[torch.Tensor], small: Sequence[Thumbnail]) -> NDArray[np.void]:
    """What the kernels read of each image, (N,) _IMAGE, but for the memory they work in."""
    images = np.zeros(len(displays), _IMAGE)
    images["values"] = [display.data_ptr() for display in displays]
    images["source_height"], images["source_width"] = np.transpose(
        [display.shape for display in displays]
    )
    images["height"], images["width"] = np.transpose([(one.height, one.width) for one in small])
    images["rank"] = [one.rank for one in small]
    return images
