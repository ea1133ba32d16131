"""The largest contour above Otsu's threshold on a thumbnail, on the GPU: RSNA 2023's winner.

The twin of `cpu/finders/otsu.py`, with its integers and its doubles.
"""

from collections.abc import Sequence
from typing import Final

import torch

from dali_pipelines.gpu.boxes import DeviceRois
from dali_pipelines.gpu.device import current_device, empty, upload
from dali_pipelines.gpu.largest_part import Frame, largest_part
from dali_pipelines.gpu.thumbnails import describe, shrink
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.thumbnail import Thumbnail, thumbnail

_THREADS: Final = 1024  # of otsu.cu's binarize


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
    levels = shrink(displays, small)
    smooth = [empty((one.height, one.width), torch.uint8) for one in small]
    lit = [empty((one.height, one.width), torch.uint16) for one in small]
    images = describe(displays, small, levels)
    images["smooth"] = [image.data_ptr() for image in smooth]
    images["lit"] = [image.data_ptr() for image in lit]
    arguments = (upload(images),)
    current_device().launch("otsu", "binarize", (len(displays),), (_THREADS,), arguments)
    return lit
