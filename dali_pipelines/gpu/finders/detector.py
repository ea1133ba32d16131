"""The box that a network finds, else the largest contour above Otsu's threshold, on the GPU.

The twin of `cpu/finders/detector.py`, with its integers. The thumbnails are made on the device,
but the network runs on the CPU, so this one method waits for the device.
"""

from collections.abc import Sequence

import numpy as np
import torch

from dali_pipelines.detector import detect, detector_thumbnail
from dali_pipelines.gpu.boxes import DeviceRois, device_boxes
from dali_pipelines.gpu.device import Download
from dali_pipelines.gpu.finders import otsu
from dali_pipelines.gpu.given import put_given
from dali_pipelines.gpu.thumbnails import shrink
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi


def find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> Sequence[Roi]:
    """The box that the network finds in each image (`DetectorSettings`), else that of "otsu"."""
    shapes = [tuple(display.shape) for display in displays]
    small = [detector_thumbnail(shape, settings.detector) for shape in shapes]
    levels = Download(torch.cat([image.view(-1) for image in shrink(displays, small)])).get()
    ends = np.cumsum([one.height * one.width for one in small])[:-1]
    detected = [
        detect(image.reshape(one.height, one.width), one.scale, shape, settings.detector)
        for image, one, shape in zip(np.split(levels, ends), small, shapes, strict=True)
    ]
    if all(detected):
        frames = DeviceRois(device_boxes([Roi(0, shape[0], 0, shape[1]) for shape in shapes]))
    else:
        frames = otsu.find(displays, settings)
    return put_given(displays, frames, detected)
